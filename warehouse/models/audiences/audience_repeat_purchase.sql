with bought as (
    select
        workspace_id,
        internal_customer_id,
        max(ordered_at) as since,
        count(*) as score,
        'ordered twice or more' as reason
    from {{ ref('orders_by_person') }}
    where ordered_at <= {{ as_of() }}
    group by workspace_id, internal_customer_id
    having count(*) >= 2 and {{ within('max(ordered_at)', var('repeat_days')) }}
)

{{ audience('bought') }}
