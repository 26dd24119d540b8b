with counted as (
    select
        workspace_id,
        kind,
        message_id,
        delivery_type,
        {{ funnel_counts() }},
        sum(opens_human) as opens_human,
        sum(opens_proxied) as opens_proxied,
        sum(opens_prefetched) as opens_prefetched,
        sum(clicks_human) as clicks_human,
        sum(clicks_machine) as clicks_machine,
        min(created_at) as first_created_at,
        max(created_at) as last_created_at
    from {{ ref('delivery_outcomes') }}
    group by workspace_id, kind, message_id, delivery_type
)

select
    counted.workspace_id,
    counted.kind,
    counted.message_id,
    counted.delivery_type,
    case counted.kind when 'campaign' then campaigns.name when 'newsletter' then broadcasts.name end as name,
    counted.deliveries,
    counted.sent,
    counted.delivered,
    counted.human_opened,
    counted.human_clicked,
    counted.converted,
    counted.bounced,
    counted.failed,
    counted.unsubscribed,
    counted.complained,
    counted.opens_human,
    counted.opens_proxied,
    counted.opens_prefetched,
    counted.clicks_human,
    counted.clicks_machine,
    {{ share('counted.delivered', 'counted.sent') }} as delivery_rate,
    {{ share('counted.human_opened', 'counted.delivered') }} as human_open_rate,
    {{ share('counted.human_clicked', 'counted.delivered') }} as human_click_rate,
    {{ share('counted.unsubscribed', 'counted.delivered') }} as unsubscribe_rate,
    counted.first_created_at,
    counted.last_created_at
from counted
left join {{ ref('stg_campaigns') }} as campaigns
    on counted.kind = 'campaign'
    and campaigns.workspace_id = counted.workspace_id
    and campaigns.campaign_id = counted.message_id
left join {{ ref('stg_broadcasts') }} as broadcasts
    on counted.kind = 'newsletter'
    and broadcasts.workspace_id = counted.workspace_id
    and broadcasts.broadcast_id = counted.message_id
