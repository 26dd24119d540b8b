select
    workspace_id,
    count(*) as people,
    count(customer_id) as with_customer_id,
    count(email) as with_email,
    count(phone) as with_phone,
    sum(case when email is not null and phone is not null then 1 else 0 end) as with_both,
    sum(case when email is null and phone is null then 1 else 0 end) as with_neither,
    {{ share('count(customer_id)', 'count(*)') }} as customer_id_share,
    {{ share('count(email)', 'count(*)') }} as email_share,
    {{ share('count(phone)', 'count(*)') }} as phone_share
from {{ ref('people_now') }}
group by workspace_id
