/**
 * POLICY-TEE-002 of docs/explanation/threat-model.md, against the machine. Each change is a start of its own, so each
 * part is changed once here.
 */
import { policyTee002 } from "../conformance/policy-tee/policy-tee-002.ts";
import { machineTarget } from "./machine-target.ts";

policyTee002(machineTarget, {
  "sev-snp": ["policy", "schema", "a document for software, in development"],
  tdx: ["catalog", "configuration", "no document"],
  tpm: ["policy", "configuration"],
});
