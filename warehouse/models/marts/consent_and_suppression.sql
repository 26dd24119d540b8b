with mailed as (
    select
        workspace_id,
        internal_customer_id,
        max(unsubscribed_at) as unsubscribed_at,
        max(complained_at) as complained_at,
        max(case when delivery_type = 'email' then bounced_at end) as bounced_at
    from {{ ref('delivery_outcomes') }}
    where internal_customer_id is not null
    group by workspace_id, internal_customer_id
),

replied as (
    select workspace_id, internal_customer_id, max(case when optout then {{ named('timestamp') }} end) as sms_opted_out_at
    from {{ ref('stg_inbound') }}
    group by workspace_id, internal_customer_id
)

select
    people.workspace_id,
    people.internal_customer_id,
    case
        when coalesce(people.deleted, false) then 'deleted'
        when coalesce(people.suppressed, false) then 'suppressed'
        else 'here'
    end as standing,
    coalesce(lower(chosen.attribute_value) = 'true', false) as unsubscribed_from_all,
    preferences.attribute_value as subscription_preferences,
    mailed.unsubscribed_at,
    mailed.complained_at,
    mailed.bounced_at,
    replied.sms_opted_out_at
from {{ ref('stg_people') }} as people
left join {{ attribute(var('unsubscribed_attribute')) }} as chosen
    on chosen.workspace_id = people.workspace_id
    and chosen.internal_customer_id = people.internal_customer_id
left join {{ attribute('cio_subscription_preferences') }} as preferences
    on preferences.workspace_id = people.workspace_id
    and preferences.internal_customer_id = people.internal_customer_id
left join mailed
    on mailed.workspace_id = people.workspace_id
    and mailed.internal_customer_id = people.internal_customer_id
left join replied
    on replied.workspace_id = people.workspace_id
    and replied.internal_customer_id = people.internal_customer_id
