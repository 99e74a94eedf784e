import { api } from "../api.ts";
import { array, bool, int8, int16, int32, nullableArray, nullableString, since, string, struct } from "../codec.ts";

/** DescribeConfigs, key 32. */
export const describeConfigs = api({
  key: 32,
  name: "DescribeConfigs",
  versions: "1-4",
  flexible: 4,
  request: struct({
    resources: array(
      struct({
        resourceType: int8,
        resourceName: string,
        configurationKeys: nullableArray(string),
      }),
    ),
    includeSynonyms: since("1+", bool, false),
    includeDocumentation: since("3+", bool, false),
  }),
  response: struct({
    throttleTimeMs: since("0+", int32),
    results: array(
      struct({
        errorCode: int16,
        errorMessage: nullableString,
        resourceType: int8,
        resourceName: string,
        configs: array(
          struct({
            name: string,
            value: nullableString,
            readOnly: bool,
            configSource: since("1+", int8, -1),
            isSensitive: bool,
            synonyms: array(
              struct({
                name: string,
                value: nullableString,
                source: int8,
              }),
            ),
            configType: since("3+", int8, 0),
            documentation: since("3+", nullableString),
          }),
        ),
      }),
    ),
  }),
});

/** AlterConfigs, key 33. */
export const alterConfigs = api({
  key: 33,
  name: "AlterConfigs",
  versions: "0-2",
  flexible: 2,
  request: struct({
    resources: array(
      struct({
        resourceType: int8,
        resourceName: string,
        configs: array(
          struct({
            name: string,
            value: nullableString,
          }),
        ),
      }),
    ),
    validateOnly: bool,
  }),
  response: struct({
    throttleTimeMs: since("0+", int32),
    responses: array(
      struct({
        errorCode: int16,
        errorMessage: nullableString,
        resourceType: int8,
        resourceName: string,
      }),
    ),
  }),
});

/** IncrementalAlterConfigs, key 44. */
export const incrementalAlterConfigs = api({
  key: 44,
  name: "IncrementalAlterConfigs",
  versions: "0-1",
  flexible: 1,
  request: struct({
    resources: array(
      struct({
        resourceType: int8,
        resourceName: string,
        configs: array(
          struct({
            name: string,
            configOperation: int8,
            value: nullableString,
          }),
        ),
      }),
    ),
    validateOnly: bool,
  }),
  response: struct({
    throttleTimeMs: since("0+", int32),
    responses: array(
      struct({
        errorCode: int16,
        errorMessage: nullableString,
        resourceType: int8,
        resourceName: string,
      }),
    ),
  }),
});
