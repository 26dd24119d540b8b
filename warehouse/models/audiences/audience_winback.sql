{%- set asked = var('winback') -%}
with bought as (
    select
        workspace_id,
        internal_customer_id,
        max(ordered_at) as since,
        sum(amount) as score,
        'no order for long' as reason
    from {{ ref('orders_by_person') }}
    where ordered_at <= {{ as_of() }}
    group by workspace_id, internal_customer_id
    having max(ordered_at) <= {{ days_before(as_of(), asked.from_days) }}
        and {{ within('max(ordered_at)', asked.to_days) }}
)

{{ audience('bought') }}
