{%- set asked = var('holdout') -%}
with placed as (
    select
        workspace_id,
        internal_customer_id,
        {{ bucket("concat(" ~ literal(asked.salt ~ ':') ~ ", cast(workspace_id as " ~ sql_type('STRING') ~ "), ':', internal_customer_id)") }} as bucket
    from {{ ref('stg_people') }}
)

select
    workspace_id,
    internal_customer_id,
    bucket,
    case when bucket < {{ (asked.percent * 100) | int }} then 'holdout' else 'reached' end as side
from placed
