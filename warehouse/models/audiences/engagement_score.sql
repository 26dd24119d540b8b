{%- set asked = var('score') -%}
with acts as (
    select
        sent.workspace_id,
        sent.internal_customer_id,
        metrics.created_at as happened_at,
        case when metrics.metric = 'opened' then {{ asked.opened }} else {{ asked.clicked }} end as points
    from {{ ref('stg_metrics') }} as metrics
    inner join {{ ref('stg_deliveries') }} as sent
        on sent.workspace_id = metrics.workspace_id and sent.delivery_id = metrics.delivery_id
    where (metrics.metric = 'opened' and {{ opened_by_person() }})
        or (metrics.metric = 'clicked' and {{ clicked_by_person() }})

    union all

    select workspace_id, internal_customer_id, happened_at, {{ asked.event }} as points
    from {{ ref('events_named') }}

    union all

    select workspace_id, internal_customer_id, ordered_at as happened_at, {{ asked.ordered }} as points
    from {{ ref('orders_by_person') }}
),

weighed as (
    select
        workspace_id,
        internal_customer_id,
        happened_at,
        points * power(
            0.5, {{ seconds_between('happened_at', as_of()) }} / (86400.0 * {{ asked.half_life_days }})
        ) as points
    from acts
    where {{ within('happened_at', asked.days) }}
)

select
    people.workspace_id,
    people.internal_customer_id,
    coalesce(sum(weighed.points), 0) as score,
    count(weighed.points) as acts,
    max(weighed.happened_at) as last_act_at
from {{ ref('people_now') }} as people
left join weighed
    on weighed.workspace_id = people.workspace_id
    and weighed.internal_customer_id = people.internal_customer_id
group by people.workspace_id, people.internal_customer_id
