{%- set there = columns_of(source('exports', 'audience_exports')) -%}
{%- if there %}
select audience, workspace_id, internal_customer_id, min(exported_at) as since, min(side) as side
from {{ source('exports', 'audience_exports') }}
group by audience, workspace_id, internal_customer_id
{%- else %}
select
    cast(null as {{ sql_type('STRING') }}) as audience,
    cast(null as {{ sql_type('INTEGER') }}) as workspace_id,
    cast(null as {{ sql_type('STRING') }}) as internal_customer_id,
    cast(null as {{ sql_type('TIMESTAMP') }}) as since,
    cast(null as {{ sql_type('STRING') }}) as side
where false
{%- endif %}
