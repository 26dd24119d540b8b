{%- set asked = var('abandoned') -%}
with checkouts as (
    select workspace_id, internal_customer_id, max(happened_at) as since
    from {{ ref('events_named') }}
    where event_name in ({{ listed(var('checkout_events')) }})
        and {{ within('happened_at', asked.days) }}
    group by workspace_id, internal_customer_id
),

ordered as (
    select workspace_id, internal_customer_id, max(ordered_at) as ordered_at
    from {{ ref('orders_by_person') }}
    where ordered_at <= {{ as_of() }}
    group by workspace_id, internal_customer_id
),

looked as (
    select workspace_id, internal_customer_id, count(*) as looks
    from {{ ref('events_named') }}
    where type in ('page', 'screen') and {{ within('happened_at', asked.days) }}
    group by workspace_id, internal_customer_id
),

clicked as (
    select workspace_id, internal_customer_id, count(*) as clicks
    from {{ ref('delivery_outcomes') }}
    where {{ within('human_clicked_last_at', asked.days) }}
    group by workspace_id, internal_customer_id
),

abandoned as (
    select
        checkouts.workspace_id,
        checkouts.internal_customer_id,
        checkouts.since,
        coalesce(looked.looks, 0) + 3 * coalesce(clicked.clicks, 0) as score,
        case when clicked.clicks > 0 then 'clicked a message' else 'looked around' end as reason
    from checkouts
    left join ordered
        on ordered.workspace_id = checkouts.workspace_id
        and ordered.internal_customer_id = checkouts.internal_customer_id
    left join looked
        on looked.workspace_id = checkouts.workspace_id
        and looked.internal_customer_id = checkouts.internal_customer_id
    left join clicked
        on clicked.workspace_id = checkouts.workspace_id
        and clicked.internal_customer_id = checkouts.internal_customer_id
    where (ordered.ordered_at is null or ordered.ordered_at < checkouts.since)
        and (coalesce(looked.looks, 0) >= {{ asked.looks }} or clicked.clicks > 0)
)

{{ audience('abandoned') }}
