with texted as (
    select
        sent.workspace_id,
        sent.internal_customer_id,
        content.recipient,
        row_number() over (
            partition by sent.workspace_id, sent.internal_customer_id
            order by sent.created_at desc, sent.delivery_id
        ) as newest
    from {{ ref('stg_deliveries') }} as sent
    inner join {{ ref('stg_delivery_content') }} as content
        on content.workspace_id = sent.workspace_id and content.delivery_id = sent.delivery_id
    where sent.delivery_type = 'sms' and content.recipient <> '' and sent.internal_customer_id is not null
)

select
    people.workspace_id,
    people.internal_customer_id,
    coalesce(nullif(trim(people.email_addr), ''), trim(mail.attribute_value)) as email,
    coalesce(trim(phone.attribute_value), trim(texted.recipient)) as phone,
    case
        when phone.attribute_value is not null then 'attribute'
        when texted.recipient is not null then 'sms'
    end as phone_from
from {{ ref('stg_people') }} as people
left join {{ attribute('email') }} as mail
    on mail.workspace_id = people.workspace_id
    and mail.internal_customer_id = people.internal_customer_id
left join {{ attribute(var('phone_attribute')) }} as phone
    on phone.workspace_id = people.workspace_id
    and phone.internal_customer_id = people.internal_customer_id
left join texted
    on texted.workspace_id = people.workspace_id
    and texted.internal_customer_id = people.internal_customer_id
    and texted.newest = 1
