-- What the requirements say must be sent of Sakila, from its CSV files alone.
-- Nothing here comes from the product or from the mapping script: the script's story is said again,
-- in closed form. Variable: sakila (the folder of the CSV files). Times are microseconds of Unix
-- time, which need no time zones. k numbers commits: 0 is in the window of the first export, each
-- later one in a window of its own, -1 lies within 30 days before, -2 earlier.

CREATE MACRO us(text) AS epoch_us(text::TIMESTAMP);

CREATE MACRO committed(k) AS CASE k
    WHEN -2 THEN TIMESTAMP '2026-01-20 09:05:00'
    WHEN -1 THEN TIMESTAMP '2026-02-15 09:05:00'
    ELSE TIMESTAMP '2026-03-02 09:05:00' + to_minutes(15 * k)
END;

CREATE MACRO cio_id(id) AS 'cio_' || lpad(id::VARCHAR, 4, '0');

CREATE TABLE customer AS
SELECT
    *,
    customer_id::INT AS id,
    CASE WHEN customer_id::INT < 580 THEN -2 ELSE customer_id::INT - 579 END AS joined
FROM read_csv(getvariable('sakila') || '/customer.csv', all_varchar = true);

-- From which commit on until before which one somebody is suppressed.
CREATE TABLE suppression AS
SELECT id, joined AS since, if(id = 16, 16, 99) AS until FROM customer WHERE active = '0'
UNION ALL
SELECT id, 6, if(id = 57, 16, 99) FROM customer WHERE active = '1' AND id % 50 = 7
UNION ALL
SELECT id, 11, 99 FROM customer WHERE active = '1' AND id % 50 = 13;

-- The attributes as the dump has them.
CREATE TABLE original AS
SELECT id, joined AS k, name, value, us(updated) AS set_at
FROM (
    UNPIVOT (SELECT *, last_update AS updated FROM customer)
    ON customer_id, store_id, first_name, last_name, email, address_id, active, create_date,
       last_update
    INTO NAME name VALUE value
);

-- What happens to somebody's attributes later, but for last_update.
CREATE TABLE happened AS
WITH wanted AS (
    SELECT id, joined, id % 40 AS k, 'address_id' AS name, (address_id::INT + 1000)::VARCHAR AS value
    FROM customer WHERE id % 40 <= 20
    UNION ALL
    SELECT id, joined, 5, 'preferences', '{"genres":["Sci-Fi","Comédie"],"budget":4.50}'
    FROM customer WHERE id % 100 = 3
    UNION ALL
    SELECT id, joined, 8, 'email', 'customer' || id || '@sakila.example'
    FROM customer WHERE id % 60 = 13
    UNION ALL
    SELECT id, joined, 14, 'preferences', ''  -- removed
    FROM customer WHERE id % 200 = 3
)
SELECT id, k, name, value FROM wanted
WHERE joined < k AND NOT EXISTS (
    -- suppressed before this commit: nothing happens to them
    FROM suppression WHERE suppression.id = wanted.id AND since < k AND k <= until
)
UNION ALL
SELECT id, since, 'active', '0' FROM suppression WHERE since IN (6, 11)
UNION ALL
-- who comes back says everything again
SELECT id, 16, name, if(name = 'active', '1', value)
FROM original WHERE id IN (16, 57) AND name <> 'last_update';

CREATE TABLE touched AS SELECT DISTINCT id, k FROM happened;

-- Every state of every attribute, with the commit that wrote it.
CREATE TABLE attribute_states AS
FROM original
UNION ALL
SELECT id, k, name, value, us(committed(k)) FROM happened
UNION ALL
SELECT id, k, 'last_update', strftime(committed(k), '%Y-%m-%d %H:%M:%S'), us(committed(k))
FROM touched;

-- Every state of every person.
CREATE TABLE people_states AS
WITH moments AS (SELECT id, joined AS k FROM customer UNION FROM touched)
SELECT
    id,
    k,
    k = joined AS is_new,
    (
        SELECT arg_max(value, states.k) FROM attribute_states AS states
        WHERE states.id = moments.id AND name = 'email' AND states.k <= moments.k
    ) AS email,
    EXISTS (
        FROM suppression WHERE suppression.id = moments.id AND since <= k AND k < until
    ) AS suppressed,
    us(create_date) AS created_at,
    if(is_new, us(last_update), us(committed(k))) AS updated_at
FROM moments JOIN customer USING (id);

-- People who are current at the first export.
CREATE TABLE current_people AS
SELECT * FROM people_states WHERE k <= 0
QUALIFY row_number() OVER (PARTITION BY id ORDER BY k DESC) = 1 AND NOT suppressed;

CREATE TABLE versions AS SELECT * FROM (VALUES ('sakila-v4', 4), ('sakila-v5', 5)) v(sync_id, version);

-- D1, D3: a row for each row of each file, with the window (0: the first export) of the file.
CREATE TABLE expected_people AS
SELECT
    sync_id,
    "window",
    series,
    id::VARCHAR AS customer_id,
    cio_id(id) AS internal_customer_id,
    false AS deleted,
    suppressed,
    if(version = 5 AND suppressed, 0, created_at) AS created_at,
    updated_at,
    email AS email_addr
FROM versions, (
    SELECT *, 0 AS "window", 'plain' AS series FROM current_people
    UNION ALL
    SELECT *, k, if(is_new AND NOT suppressed, 'plain', 'chngs') FROM people_states WHERE k > 0
);

CREATE TABLE expected_attributes AS
SELECT
    sync_id,
    "window",
    cio_id(id) AS internal_customer_id,
    name AS attribute_name,
    value AS attribute_value,
    set_at AS timestamp
FROM versions, (
    (
        SELECT *, 0 AS "window" FROM attribute_states
        WHERE k <= 0 AND id IN (SELECT id FROM current_people)
        QUALIFY row_number() OVER (PARTITION BY id, name ORDER BY k DESC) = 1
    )
    UNION ALL
    SELECT *, k FROM attribute_states WHERE k > 0
);

-- D1: what a reader must hold in the end: the last state of whoever was ever sent.
CREATE TABLE expected_merged_people AS
SELECT * EXCLUDE ("window", series) FROM expected_people
QUALIFY row_number() OVER (
    PARTITION BY sync_id, internal_customer_id ORDER BY "window" DESC
) = 1;

CREATE TABLE expected_merged_attributes AS
SELECT * EXCLUDE ("window") FROM expected_attributes
QUALIFY row_number() OVER (
    PARTITION BY sync_id, internal_customer_id, attribute_name ORDER BY "window" DESC
) = 1;

-- D1, D4: events of the last 30 days at first; those of people who were gone then have no personal
-- data, as long as they are gone.
CREATE TABLE expected_events AS
WITH rental AS (FROM read_csv(getvariable('sakila') || '/rental.csv', all_varchar = true)),
payment AS (FROM read_csv(getvariable('sakila') || '/payment.csv', all_varchar = true)),
days AS (
    SELECT day, row_number() OVER (ORDER BY day) AS number
    FROM (SELECT DISTINCT rental_date[:10] AS day FROM rental)
),
raised AS (
    SELECT
        'rental-' || rental_id AS event_id,
        'rental' AS name,
        customer_id::INT AS id,
        rental_date AS raised_at,
        '{"rental_id":' || rental_id
        || ',"inventory_id":' || inventory_id
        || ',"return_date":' || coalesce('"' || return_date || '"', 'null')  -- an empty cell is null
        || ',"staff_id":' || staff_id
        || ',"last_update":"' || last_update || '"}' AS data
    FROM rental
    UNION ALL
    SELECT
        'payment-' || payment_id,
        'payment',
        customer_id::INT,
        payment_date,
        '{"payment_id":' || payment_id
        || ',"staff_id":' || staff_id
        || ',"rental_id":' || coalesce(rental_id, 'null')
        || ',"amount":' || amount
        || ',"last_update":"' || last_update || '"}'
    FROM payment
),
loaded AS (
    SELECT
        raised.*,
        joined,
        greatest(
            joined,
            CASE
                WHEN number <= 8 THEN -2
                WHEN number <= 16 THEN -1
                ELSE greatest(number - 21, 0)
            END
        ) AS k
    FROM raised
    JOIN customer USING (id)
    LEFT JOIN days ON days.day = raised_at[:10]
),
sent AS (
    SELECT
        *,
        joined <= 0
        AND id NOT IN (SELECT id FROM current_people)
        AND (
            k <= 0
            OR EXISTS (
                FROM suppression WHERE suppression.id = loaded.id AND since <= k AND k < until
            )
        ) AS gone
    FROM loaded WHERE k > -2
)
SELECT
    'sakila-v5' AS sync_id,
    greatest(k, 0) AS "window",
    event_id,
    if(gone, '', cio_id(id)) AS internal_customer_id,
    name,
    'event' AS type,
    if(gone, '{}', data) AS data,
    us(raised_at) AS timestamp,
    us(committed(k)) AS processed_at,
    if(gone, [], ['Sakila']) AS sources,
    []::VARCHAR[] AS source_uas
FROM sent;
