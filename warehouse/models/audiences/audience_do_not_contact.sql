{%- set reasons = [
    ('unsubscribed', 'unsubscribed_at'), ('complained', 'complained_at'),
    ('bounced', 'bounced_at'), ('opted out of SMS', 'sms_opted_out_at')] -%}
with every_reason as (
    {%- for reason, column in reasons %}
    select
        workspace_id,
        internal_customer_id,
        {{ column }} as since,
        cast(null as {{ sql_type('NUMBER') }}) as score,
        '{{ reason }}' as reason
    from {{ ref('consent_and_suppression') }}
    where {{ column }} <= {{ as_of() }}
    union all
    {%- endfor %}
    select
        chosen.workspace_id,
        chosen.internal_customer_id,
        attribute.changed_at as since,
        cast(null as {{ sql_type('NUMBER') }}) as score,
        'unsubscribed from all' as reason
    from {{ ref('consent_and_suppression') }} as chosen
    inner join {{ attribute(var('unsubscribed_attribute')) }} as attribute
        on attribute.workspace_id = chosen.workspace_id
        and attribute.internal_customer_id = chosen.internal_customer_id
    where chosen.unsubscribed_from_all
)

{{ audience('every_reason') }}
