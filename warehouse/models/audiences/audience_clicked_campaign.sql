{%- set asked = var('clicked') -%}
with chosen as (
    select
        outcomes.workspace_id,
        outcomes.internal_customer_id,
        outcomes.human_clicked_last_at as since,
        cast(null as {{ sql_type('NUMBER') }}) as score,
        performance.name as reason
    from {{ ref('delivery_outcomes') }} as outcomes
    left join {{ ref('campaign_performance') }} as performance
        on performance.workspace_id = outcomes.workspace_id
        and performance.kind = outcomes.kind
        and performance.message_id = outcomes.message_id
        and performance.delivery_type = outcomes.delivery_type
    where {{ within('outcomes.human_clicked_last_at', asked.days) }}
        and outcomes.delivery_type = 'email'
        and (
            {%- if asked.campaign_ids %}
            (outcomes.kind = 'campaign' and outcomes.message_id in ({{ asked.campaign_ids | join(', ') }}))
            {%- elif asked.name_contains %}
            {#- Not with `like`: to that, `_` and `%` are any other signs, too. #}
            replace(lower(performance.name), {{ literal(asked.name_contains | lower) }}, '') <> lower(performance.name)
            {%- else %}
            false
            {%- endif %}
        )
)

{{ audience('chosen') }}
