import * as z from "zod";

/** Name of a principal, as `enclave.principals` has it: 1 to 128 of letters, digits and `._:@/-`. */
export const principalName = z
  .string()
  .regex(/^[A-Za-z0-9._:@/-]{1,128}$/, { error: "must be 1 to 128 of letters, digits and ._:@/-" });

/** Name of a workflow: 1 to 128 printable ASCII characters without spaces. */
export const workflowName = z
  .string()
  .regex(/^[\x21-\x7e]{1,128}$/, { error: "must be 1 to 128 printable ASCII characters without spaces" });
