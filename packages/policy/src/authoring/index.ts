export { lintBundle } from "./lint.ts";
export { writeSchema } from "./schema.ts";
export { redactionsOf, type RedactionReach } from "./redactions.ts";
