import { expressions, type ParityCase } from "../case.ts";

/** Dates and times: patterns both ways, fields, arithmetic, time zones with their gaps and overlaps, first and last years. */
export const cases: readonly ParityCase[] = [
  ...expressions("datetime", "times", [
    "cast(d as string)",
    "t + interval 1 month",
    "d + interval 1 month",
    "n - interval 90 minutes",
    "t - n",
    "d - date'2000-01-01'",
    "extract(second from t)",
    "from_utc_timestamp(t, 'America/New_York')",
    "to_utc_timestamp(t, 'America/New_York')",
  ]),
  ...expressions("datetime", undefined, [
    ["timestamp'2021-03-28 02:30:00'", { conf: { "spark.sql.session.timeZone": "Europe/Berlin" } }],
    ["timestamp'2021-10-31 02:30:00'", { conf: { "spark.sql.session.timeZone": "Europe/Berlin" } }],
    ["cast(timestamp'2021-10-31 00:30:00Z' as string)", { conf: { "spark.sql.session.timeZone": "Europe/Berlin" } }],
    ["cast(timestamp'2021-10-31 01:30:00Z' as string)", { conf: { "spark.sql.session.timeZone": "Europe/Berlin" } }],
    ["timestamp'2021-03-27 02:30:00' + interval 1 day", { conf: { "spark.sql.session.timeZone": "Europe/Berlin" } }],
    ["timestamp'2021-03-27 02:30:00' + interval 24 hours", { conf: { "spark.sql.session.timeZone": "Europe/Berlin" } }],
    ["timestamp'2021-03-28 01:30:00' + interval 1 hour", { conf: { "spark.sql.session.timeZone": "Europe/Berlin" } }],
    ["timestamp'2021-10-30 02:30:00' + interval 1 day", { conf: { "spark.sql.session.timeZone": "Europe/Berlin" } }],
    ["timestamp'2021-10-30 02:30:00' + interval 1 month", { conf: { "spark.sql.session.timeZone": "Europe/Berlin" } }],
    [
      "timestamp'2021-03-28 12:00:00' - timestamp'2021-03-27 12:00:00'",
      { conf: { "spark.sql.session.timeZone": "Europe/Berlin" } },
    ],
    ["date_trunc('day', timestamp'2021-03-28 12:00:00')", { conf: { "spark.sql.session.timeZone": "Europe/Berlin" } }],
    [
      "date_trunc('hour', timestamp'2021-10-31 01:30:00Z')",
      { conf: { "spark.sql.session.timeZone": "Europe/Berlin" } },
    ],
    ["date_trunc('week', timestamp'2021-03-28 12:00:00')", { conf: { "spark.sql.session.timeZone": "Europe/Berlin" } }],
    ["hour(timestamp'2021-06-01 00:00:00Z')", { conf: { "spark.sql.session.timeZone": "Europe/Berlin" } }],
    [
      "date_format(timestamp'2021-06-01 00:00:00Z', 'yyyy-MM-dd HH:mm XXX VV z O')",
      { conf: { "spark.sql.session.timeZone": "Europe/Berlin" } },
    ],
    [
      "date_format(timestamp'1890-01-01 00:00:00', 'yyyy-MM-dd HH:mm:ss XXX')",
      { conf: { "spark.sql.session.timeZone": "Europe/Berlin" } },
    ],
    ["unix_micros(timestamp'1890-01-01 00:00:00')", { conf: { "spark.sql.session.timeZone": "Europe/Berlin" } }],
    ["unix_micros(timestamp'1700-01-01 00:00:00')", { conf: { "spark.sql.session.timeZone": "Europe/Berlin" } }],
    ["unix_micros(timestamp'0001-01-01 00:00:00')", { conf: { "spark.sql.session.timeZone": "Europe/Berlin" } }],
    ["cast(timestamp'0001-01-01 00:00:00' as string)", { conf: { "spark.sql.session.timeZone": "Europe/Berlin" } }],
    [
      "to_timestamp('2021-03-28 02:30', 'yyyy-MM-dd HH:mm')",
      { conf: { "spark.sql.session.timeZone": "Europe/Berlin" } },
    ],
    [
      "to_timestamp('2021-10-31 02:30', 'yyyy-MM-dd HH:mm')",
      { conf: { "spark.sql.session.timeZone": "Europe/Berlin" } },
    ],
    ["to_timestamp('1890-01-01', 'yyyy-MM-dd')", { conf: { "spark.sql.session.timeZone": "Europe/Berlin" } }],
    ["unix_timestamp('2021-03-28 02:30:00')", { conf: { "spark.sql.session.timeZone": "Europe/Berlin" } }],
    ["from_unixtime(1616895000)", { conf: { "spark.sql.session.timeZone": "Europe/Berlin" } }],
    ["to_date(timestamp'2021-06-01 23:30:00Z')", { conf: { "spark.sql.session.timeZone": "Europe/Berlin" } }],
    ["cast(date'2021-06-01' as timestamp)", { conf: { "spark.sql.session.timeZone": "Europe/Berlin" } }],
    [
      "timestampdiff(HOUR, timestamp'2021-03-28 00:00:00', timestamp'2021-03-29 00:00:00')",
      { conf: { "spark.sql.session.timeZone": "Europe/Berlin" } },
    ],
    [
      "timestampdiff(DAY, timestamp'2021-03-28 00:00:00', timestamp'2021-03-29 00:00:00')",
      { conf: { "spark.sql.session.timeZone": "Europe/Berlin" } },
    ],
    ["dateadd(HOUR, 1, timestamp'2021-03-28 01:30:00')", { conf: { "spark.sql.session.timeZone": "Europe/Berlin" } }],
    ["dateadd(DAY, 1, timestamp'2021-03-27 02:30:00')", { conf: { "spark.sql.session.timeZone": "Europe/Berlin" } }],
    [
      "months_between(timestamp'2021-04-28 00:00:00', timestamp'2021-03-28 00:00:00')",
      { conf: { "spark.sql.session.timeZone": "Europe/Berlin" } },
    ],
    ["make_timestamp(2021, 3, 28, 2, 30, 0)", { conf: { "spark.sql.session.timeZone": "Europe/Berlin" } }],
    ["make_timestamp(2021, 10, 31, 2, 30, 0)", { conf: { "spark.sql.session.timeZone": "Europe/Berlin" } }],
    [
      "convert_timezone('America/New_York', timestamp_ntz'2021-06-01 12:00:00')",
      { conf: { "spark.sql.session.timeZone": "Europe/Berlin" } },
    ],
    [
      "from_utc_timestamp(timestamp'2021-06-01 12:00:00', 'America/New_York')",
      { conf: { "spark.sql.session.timeZone": "Europe/Berlin" } },
    ],
    [
      "to_utc_timestamp(timestamp'2021-06-01 12:00:00', 'America/New_York')",
      { conf: { "spark.sql.session.timeZone": "Europe/Berlin" } },
    ],
    [
      "cast(timestamp_ntz'2021-03-28 02:30:00' as timestamp)",
      { conf: { "spark.sql.session.timeZone": "Europe/Berlin" } },
    ],
    [
      "cast(timestamp'2021-03-28 12:00:00' as timestamp_ntz)",
      { conf: { "spark.sql.session.timeZone": "Europe/Berlin" } },
    ],
    [
      "timestamp_ntz'2021-03-28 02:30:00' = timestamp'2021-03-28 03:30:00'",
      { conf: { "spark.sql.session.timeZone": "Europe/Berlin" } },
    ],
    ["current_timezone()", { conf: { "spark.sql.session.timeZone": "Europe/Berlin" } }],
    ["extract(hour from timestamp'2021-06-01 00:00:00Z')", { conf: { "spark.sql.session.timeZone": "Europe/Berlin" } }],
    ["last_day(timestamp'2021-06-30 23:30:00Z')", { conf: { "spark.sql.session.timeZone": "Europe/Berlin" } }],
    [
      "sequence(timestamp'2021-03-27 00:00:00', timestamp'2021-03-30 00:00:00', interval 1 day)",
      { conf: { "spark.sql.session.timeZone": "Europe/Berlin" } },
    ],
  ]),
  ...expressions("datetime", undefined, [
    ["unix_timestamp('1970-01-01 00:00:00')", { conf: { "spark.sql.session.timeZone": "America/Los_Angeles" } }],
    ["cast('2021-11-07 01:30:00' as timestamp)", { conf: { "spark.sql.session.timeZone": "America/Los_Angeles" } }],
    [
      "date_format(timestamp'2021-11-07 08:30:00Z', 'yyyy-MM-dd HH:mm z zzzz Z')",
      { conf: { "spark.sql.session.timeZone": "America/Los_Angeles" } },
    ],
    [
      "date_trunc('quarter', timestamp'2021-11-07 08:30:00Z')",
      { conf: { "spark.sql.session.timeZone": "America/Los_Angeles" } },
    ],
    ["weekofyear(timestamp'2021-01-04 03:00:00Z')", { conf: { "spark.sql.session.timeZone": "America/Los_Angeles" } }],
  ]),
  ...expressions("datetime", undefined, [
    [
      "cast(timestamp'2021-06-01 00:00:00Z' as string)",
      {
        conf: { "spark.sql.session.timeZone": "+05:30" },
      },
    ],
    ["hour(timestamp'2021-06-01 00:00:00Z')", { conf: { "spark.sql.session.timeZone": "+05:30" } }],
    [
      "date_format(timestamp'2021-06-01 00:00:00Z', 'HH:mm XXX VV z')",
      {
        conf: { "spark.sql.session.timeZone": "+05:30" },
      },
    ],
    [
      "date_trunc('hour', timestamp'2021-06-01 00:10:00Z')",
      {
        conf: { "spark.sql.session.timeZone": "+05:30" },
      },
    ],
    [
      "to_timestamp('2021-06-01 05:30', 'yyyy-MM-dd HH:mm')",
      {
        conf: { "spark.sql.session.timeZone": "+05:30" },
      },
    ],
  ]),
  ...expressions("datetime", "times", [
    ["cast(t as string)", { conf: { "spark.sql.session.timeZone": "America/New_York" } }],
    ["hour(t)", { conf: { "spark.sql.session.timeZone": "America/New_York" } }],
    ["date_format(t, 'yyyy-MM-dd HH:mm:ss Z')", { conf: { "spark.sql.session.timeZone": "America/New_York" } }],
    ["cast(n as timestamp)", { conf: { "spark.sql.session.timeZone": "America/New_York" } }],
    ["cast(d as timestamp)", { conf: { "spark.sql.session.timeZone": "America/New_York" } }],
    ["unix_timestamp(t)", { conf: { "spark.sql.session.timeZone": "America/New_York" } }],
    ["date_trunc('day', t)", { conf: { "spark.sql.session.timeZone": "America/New_York" } }],
    ["t + interval 1 day", { conf: { "spark.sql.session.timeZone": "America/New_York" } }],
    ["to_timestamp(s)", { conf: { "spark.sql.session.timeZone": "America/New_York" } }],
  ]),
];
