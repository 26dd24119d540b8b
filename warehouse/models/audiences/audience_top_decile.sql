with ranked as (
    select
        workspace_id,
        internal_customer_id,
        last_act_at as since,
        score,
        row_number() over (
            partition by workspace_id order by score desc, internal_customer_id
        ) as place,
        count(*) over (partition by workspace_id) as people
    from {{ ref('engagement_score') }}
),

best as (
    select workspace_id, internal_customer_id, since, score, 'top tenth by engagement' as reason
    from ranked
    where place <= ceil(people / 10.0) and score > 0
)

{{ audience('best') }}
