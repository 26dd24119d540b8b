{#- Whether the columns that the contract has as Required are filled. Those that the loaded table
    lacks, as in an earlier version of the feed, are not asked for. -#}
{% test required(model, columns, export) %}
{%- set there = loaded_columns(export) -%}
{%- for column in columns if column in there %}
{{ 'union all' if not loop.first }}
select '{{ column }}' as missing, count(*) as found
from {{ model }}
where {{ named(column) }} is null
having count(*) > 0
{%- else %}
select 1 as missing where false
{%- endfor %}
{% endtest %}


{#- Whether the columns together tell all rows apart. -#}
{% test one_row_per(model, columns) %}
select {{ columns | join(', ') }}, count(*) as found
from {{ model }}
group by {{ columns | join(', ') }}
having count(*) > 1
{% endtest %}


{#- Whether what a column refers to is there, in the same workspace. Empty text refers to nothing: so
    it is where a person was gone before the first export. Parents of an export that was not loaded
    are not asked for. -#}
{% test refers_to(model, column_name, to, key, export) %}
select child.{{ column_name }}, count(*) as found
from {{ model }} as child
left join {{ to }} as parent
    on parent.workspace_id = child.workspace_id and parent.{{ key }} = child.{{ column_name }}
where child.{{ column_name }} is not null
    and cast(child.{{ column_name }} as {{ sql_type('STRING') }}) <> ''
    and parent.workspace_id is null
    {%- if not loaded_columns(export) %} and false{% endif %}
group by child.{{ column_name }}
{% endtest %}


{#- Whether all values are of the contract's choices. -#}
{% test one_of(model, column_name, choices) %}
select {{ column_name }}
from {{ model }}
where {{ column_name }} not in ('{{ choices | join("', '") }}')
{% endtest %}
