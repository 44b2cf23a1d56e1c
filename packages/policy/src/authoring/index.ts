export { lintBundle } from "./lint.ts";
export { writeSchema } from "./schema.ts";
