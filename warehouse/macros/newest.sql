{#- The newest row of each entity of an export (docs/reading.md). `columns` are [name, type] in the
    contract's order; what was not loaded, as columns and exports that came with a later version, is
    null, or has no rows. Loaders make a view of newest rows that knows the files' order; without
    one, of rows that are equal in `newest_by` any may count. -#}
{% macro newest_rows(export, key, newest_by, columns) -%}
  {%- set loaded = source('data_out', export) -%}
  {%- set view = newest_view(loaded) -%}
  {%- set there = columns_of(view or loaded) -%}
select
    {%- for name, kind in columns %}
    {{ named(name) if name in there else 'cast(null as ' ~ sql_type(kind) ~ ') as ' ~ named(name) }}{{ ',' if not loop.last }}
    {%- endfor %}
  {%- if not there %}
where false
  {%- elif view %}
from {{ view }}
  {%- else %}
from (
    select
        loaded.*,
        row_number() over (
            partition by {{ (['workspace_id'] + key) | join(', ') }}
            order by {{ named(newest_by or key[0]) }} desc
        ) as cio_newest
    from {{ loaded }} as loaded
) as counted
where cio_newest = 1
  {%- endif %}
{%- endmacro %}


{#- The loader's view of the newest rows of a table; none if it made none. -#}
{% macro newest_view(loaded) -%}
  {%- if execute -%}
    {{ return(adapter.get_relation(
        loaded.database, loaded.schema, loaded.identifier ~ var('newest_suffix'))) }}
  {%- endif -%}
  {{ return(none) }}
{%- endmacro %}


{#- The columns of an export's table, lower case; none where there is no such table. -#}
{% macro loaded_columns(export) %}{{ return(columns_of(source('data_out', export))) }}{% endmacro %}


{% macro columns_of(wanted) -%}
  {%- if not execute -%}{{ return([]) }}{%- endif -%}
  {%- set found = adapter.get_relation(wanted.database, wanted.schema, wanted.identifier) -%}
  {%- if found is none -%}{{ return([]) }}{%- endif -%}
  {{ return(adapter.get_columns_in_relation(found) | map(attribute='name') | map('lower') | list) }}
{%- endmacro %}


{#- Refuse to build from nothing: a slip in the feed's name would give empty tables. -#}
{% macro require_feed() -%}
  {%- if execute and not loaded_columns('people') and not loaded_columns('deliveries') -%}
    {%- do exceptions.raise_compiler_error(
      "There is no table of people or deliveries in the schema '" ~ source('data_out', 'people').schema
      ~ "'. Load the feed first (cio-pipeline warehouse load), and name its schema in CIO_FEED.") -%}
  {%- endif -%}
{%- endmacro %}
