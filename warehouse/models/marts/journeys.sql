with steps as (
    select
        workspace_id,
        subject_name,
        output_type,
        created_at,
        row_number() over (
            partition by workspace_id, subject_name order by created_at desc, seq_num desc, output_id
        ) as from_last
    from {{ ref('stg_outputs') }}
),

walked as (
    select
        workspace_id,
        subject_name,
        count(*) as steps,
        max(case when from_last = 1 then output_type end) as last_step,
        max(created_at) as last_step_at
    from steps
    group by workspace_id, subject_name
),

messages as (
    select workspace_id, subject_name, {{ funnel_counts() }}
    from {{ ref('delivery_outcomes') }}
    where subject_name is not null
    group by workspace_id, subject_name
)

select
    subjects.workspace_id,
    subjects.subject_name,
    subjects.internal_customer_id,
    subjects.campaign_id,
    campaigns.name as campaign_name,
    subjects.campaign_type,
    subjects.started_campaign_at,
    subjects.created_at,
    coalesce(walked.steps, 0) as steps,
    walked.last_step,
    walked.last_step_at,
    {{ seconds_between('subjects.created_at', 'walked.last_step_at') }} as seconds_to_last_step,
    coalesce(messages.deliveries, 0) as deliveries,
    coalesce(messages.human_opened, 0) as human_opened,
    coalesce(messages.human_clicked, 0) as human_clicked,
    coalesce(messages.converted, 0) as converted
from {{ ref('stg_subjects') }} as subjects
left join {{ ref('stg_campaigns') }} as campaigns
    on campaigns.workspace_id = subjects.workspace_id and campaigns.campaign_id = subjects.campaign_id
left join walked
    on walked.workspace_id = subjects.workspace_id and walked.subject_name = subjects.subject_name
left join messages
    on messages.workspace_id = subjects.workspace_id and messages.subject_name = subjects.subject_name
