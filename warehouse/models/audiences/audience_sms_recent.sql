with texted as (
    select
        workspace_id,
        internal_customer_id,
        sent_at as since,
        cast(null as {{ sql_type('NUMBER') }}) as score,
        'sms' as reason
    from {{ ref('delivery_outcomes') }}
    where delivery_type = 'sms' and {{ within('sent_at', var('sms_days')) }}
)

{{ audience('texted') }}
