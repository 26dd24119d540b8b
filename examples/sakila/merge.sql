-- What a reader of the bucket does: the newest row of each person, the newest value of each
-- attribute, every event; here joined to see which customers pay most.
WITH files AS (
    SELECT *, regexp_extract(filename, '_(\d+)\.parquet$', 1)::BIGINT AS sequence
    FROM read_parquet('.cio/sakila/bucket/sakila-v5/people_v5_*.parquet', filename = true)
),
people AS (
    SELECT * FROM files
    QUALIFY row_number() OVER (
        PARTITION BY internal_customer_id
        ORDER BY updated_at DESC, contains(filename, '_chngs_') DESC, sequence DESC
    ) = 1
),
attributes AS (
    SELECT internal_customer_id, attribute_name, arg_max(attribute_value, timestamp) AS value
    FROM read_parquet('.cio/sakila/bucket/sakila-v5/attributes_v5_*.parquet')
    GROUP BY ALL
),
payments AS (
    SELECT internal_customer_id, (data ->> 'amount')::DECIMAL(9, 2) AS amount
    FROM read_parquet('.cio/sakila/bucket/sakila-v5/events_v5_*.parquet')
    WHERE name = 'payment'
)
SELECT customer_id, email_addr, value AS last_name, count(*) AS payments, sum(amount) AS paid
FROM people
JOIN attributes USING (internal_customer_id)
JOIN payments USING (internal_customer_id)
WHERE attribute_name = 'last_name' AND NOT suppressed AND NOT deleted
GROUP BY ALL
ORDER BY paid DESC, customer_id
LIMIT 5
