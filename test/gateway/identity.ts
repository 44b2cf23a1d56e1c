/** A deployment that accepts JWTs of measured issuers and the host's word, with rules over both. */
import { appendFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { RecordsServer } from "../servers/records-server.ts";
import { deployQuickstart, listenOnAnyPort } from "./deployment.ts";
import { AUDIENCE, makeIssuer } from "./issuer.ts";

const RULES = `
  @id("care-only") forbid (principal, action == cMCP::Action::"call_tool", resource == cMCP::Resource::"get_patient_record") unless { principal.identity_claims.contains("unit=care") };
  @id("no-guests") forbid (principal, action == cMCP::Action::"call_tool", resource == cMCP::Resource::"send_message") when { principal has identity_issuer && principal.identity_issuer == "https://guests.example/" };
  @id("not-anna") forbid (principal, action == cMCP::Action::"call_tool", resource == cMCP::Resource::"send_message") when { principal.identity_source == "jwt" && principal has user_identity && principal.user_identity == "anna" };
  @id("not-from-the-yard") forbid (principal, action == cMCP::Action::"call_tool", resource == cMCP::Resource::"send_message") when { principal has host_asserted_identity && principal.host_asserted_identity like "spiffe://*/yard/*" };`;

/** The issuer of the deployment's own people. */
export const staff = makeIssuer("https://login.bank.example/");
/** Another issuer, some of whose subjects have the same names. */
export const guests = makeIssuer("https://guests.example/");
/** `enclave.identity` of the deployment. */
export const IDENTITY = {
  resource: AUDIENCE,
  scopes_supported: ["mcp:call"],
  jwt: [
    staff.settings({
      subjects: [
        { subject: "desk-7", principal: "desk" },
        { subject: "auditor", principal: "desk", workflows: ["default"] },
      ],
      any_subject: { prefix: "staff:" },
      claims: { unit: { claim: "unit", kind: "text" } },
    }),
    guests.settings({ subjects: [{ subject: "desk-7", principal: "guest" }], clock_skew_seconds: 0 }),
  ],
  host_asserted: { trust_domains: ["bank.example"] },
};

/** Writes a deployment of the quickstart with measured issuers and rules over what they say. Gives the configuration's path. */
export async function deployWithIdentity(
  folder: string,
  records: Pick<RecordsServer, "port" | "fingerprint">,
  identity: object = IDENTITY,
): Promise<string> {
  const config = await deployQuickstart(folder, {
    everythingPort: 1,
    recordsPort: records.port,
    recordsFingerprint: records.fingerprint,
  });
  await listenOnAnyPort(config);
  await writeFile(join(folder, "policies/identity.cedar"), RULES);
  await writeFile(join(folder, "policies/schema.cedarschema"), "");
  const enclave = {
    workflows: ["default", "settle"],
    principals: [{ id: "default" }, { id: "desk" }, { id: "guest" }],
    identity,
  };
  await appendFile(config, `enclave: ${JSON.stringify(enclave)}\n`);
  return config;
}
