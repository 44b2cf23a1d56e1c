export { inspectArguments } from "./arguments.ts";
export { inspectResult, type InspectedResult, type ResultOptions } from "./result/inspect.ts";
export { removeLookAlikes } from "./result/look-alike.ts";
export { inspectAnswer, type AnsweredMethod } from "./result/answer.ts";
export { MIN_ECHO_LENGTH } from "./result/echoes.ts";
export { CompiledSchema, MAX_MATCHED_NAME, type Checked } from "./schema/compiled.ts";
export { prepareSchemas, type InspectedTool, type PreparedSchemas } from "./schema/prepare.ts";
export { MAX_MATCHED_LENGTH, MAX_SUBSCHEMAS, MAX_UNIQUE_ITEMS } from "./schema/profile.ts";
