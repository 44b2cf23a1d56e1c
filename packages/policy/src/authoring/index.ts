export { lintBundle } from "./lint.ts";
export { writeSchema } from "./schema.ts";
export { redactionsOf, type RedactionReach } from "./redactions.ts";
export { rulesOf, type RulePlace } from "./rules.ts";
