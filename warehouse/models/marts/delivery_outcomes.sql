with happened as (
    select
        workspace_id,
        delivery_id,
        min(case when metric = 'sent' then created_at end) as sent_at,
        min(case when metric = 'delivered' then created_at end) as delivered_at,
        min(case when metric = 'opened' and {{ opened_by_person() }} then created_at end) as human_opened_at,
        max(case when metric = 'opened' and {{ opened_by_person() }} then created_at end) as human_opened_last_at,
        min(case when metric = 'clicked' and {{ clicked_by_person() }} then created_at end) as human_clicked_at,
        max(case when metric = 'clicked' and {{ clicked_by_person() }} then created_at end) as human_clicked_last_at,
        min(case when metric = 'converted' then created_at end) as converted_at,
        min(case when metric = 'bounced' then created_at end) as bounced_at,
        min(case when metric in ('failed', 'dropped', 'undeliverable') then created_at end) as failed_at,
        min(case when metric = 'unsubscribed' then created_at end) as unsubscribed_at,
        min(case when metric = 'spammed' then created_at end) as complained_at,
        sum(case when metric = 'opened' and {{ opened_by_person() }} then 1 else 0 end) as opens_human,
        sum(case when metric = 'opened' and coalesce(proxied, false) and not coalesce(prefetched, false) then 1 else 0 end) as opens_proxied,
        sum(case when metric = 'opened' and coalesce(prefetched, false) then 1 else 0 end) as opens_prefetched,
        sum(case when metric = 'clicked' and {{ clicked_by_person() }} then 1 else 0 end) as clicks_human,
        sum(case when metric = 'clicked' and coalesce(machine, false) then 1 else 0 end) as clicks_machine
    from {{ ref('stg_metrics') }}
    group by workspace_id, delivery_id
)

select
    sent.workspace_id,
    sent.delivery_id,
    sent.internal_customer_id,
    sent.subject_id as subject_name,
    sent.delivery_type,
    case
        when sent.newsletter_id is not null then 'newsletter'
        when sent.transactional_message_id is not null then 'transactional'
        when sent.campaign_id is not null then 'campaign'
        else 'other'
    end as kind,
    coalesce(sent.newsletter_id, sent.transactional_message_id, sent.campaign_id) as message_id,
    sent.action_id,
    sent.created_at,
    happened.sent_at,
    happened.delivered_at,
    happened.human_opened_at,
    happened.human_opened_last_at,
    happened.human_clicked_at,
    happened.human_clicked_last_at,
    happened.converted_at,
    happened.bounced_at,
    happened.failed_at,
    happened.unsubscribed_at,
    happened.complained_at,
    coalesce(happened.opens_human, 0) as opens_human,
    coalesce(happened.opens_proxied, 0) as opens_proxied,
    coalesce(happened.opens_prefetched, 0) as opens_prefetched,
    coalesce(happened.clicks_human, 0) as clicks_human,
    coalesce(happened.clicks_machine, 0) as clicks_machine
from {{ ref('stg_deliveries') }} as sent
left join happened
    on happened.workspace_id = sent.workspace_id and happened.delivery_id = sent.delivery_id
