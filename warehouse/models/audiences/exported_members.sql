{%- set there = columns_of(source('exports', 'audience_exports')) -%}
{%- if there %}
with ranked as (
    select
        audience,
        workspace_id,
        internal_customer_id,
        exported_at,
        side,
        -- A larger share holds out who was reached before: that does not undo it.
        row_number() over (
            partition by audience, workspace_id, internal_customer_id order by exported_at, side
        ) as place
    from {{ source('exports', 'audience_exports') }}
)

select audience, workspace_id, internal_customer_id, exported_at as since, side
from ranked
where place = 1
{%- else %}
select
    cast(null as {{ sql_type('STRING') }}) as audience,
    cast(null as {{ sql_type('INTEGER') }}) as workspace_id,
    cast(null as {{ sql_type('STRING') }}) as internal_customer_id,
    cast(null as {{ sql_type('TIMESTAMP') }}) as since,
    cast(null as {{ sql_type('STRING') }}) as side
where false
{%- endif %}
