import * as z from "zod";
import { issuerSchema } from "./jwt/settings.ts";
import { MAX_ISSUERS, MAX_SCOPES } from "./limits.ts";
import { isResource } from "./resource/identifier.ts";
import { anySubjectPrefixes } from "./any-subject.ts";
import { trustDomain } from "./spiffe/bundle.ts";
import { domainId } from "./jwt/rules.ts";
import { svidIssuerSchema } from "./spiffe/settings.ts";
import { areDistinct, scope } from "./token-settings.ts";

const overlap = (left: string, right: string): boolean => left.startsWith(right) || right.startsWith(left);

/** `enclave.identity`: who may call beside the holders of bearer tokens. Part of the launch document. */
export const identitySchema = z
  .strictObject({
    resource: z
      .string()
      .max(512)
      .refine(isResource, { error: "must be an https URL without query and fragment (http on a loopback address)" })
      .nullish()
      .describe("URL under which agents reach this gateway's MCP endpoint; the resource of RFC 9728. Needed for jwt."),
    scopes_supported: z
      .array(scope)
      .max(MAX_SCOPES)
      .default([])
      .describe("Scopes to name in the protected resource metadata."),
    jwt: z
      .array(issuerSchema)
      .max(MAX_ISSUERS)
      .default([])
      .refine((issuers) => areDistinct(issuers.map(({ issuer }) => issuer)), { error: "duplicate issuer" })
      .describe("Issuers whose JWTs are accepted as bearer tokens."),
    spiffe: z
      .array(svidIssuerSchema)
      .min(1)
      .max(MAX_ISSUERS)
      .refine((domains) => areDistinct(domains.map(({ trust_domain: domain }) => domain)), {
        error: "duplicate trust domain",
      })
      .nullish()
      .describe("SPIFFE trust domains whose JWT-SVIDs are accepted as bearer tokens."),
    host_asserted: z
      .strictObject({
        trust_domains: z
          .array(trustDomain)
          .min(1)
          .max(64)
          .describe("SPIFFE trust domains of which the host's word is passed to policies."),
      })
      .nullish()
      .describe(
        "Lets policies see the client certificate's SPIFFE ID as the host reports it. The host may say what it " +
          "likes: it is a label, never a login.",
      ),
  })
  .refine(({ jwt, resource }) => jwt.length === 0 || resource != null, {
    path: ["resource"],
    error: "is needed with jwt",
  })
  .refine(
    (settings) => {
      const prefixes = anySubjectPrefixes(settings);
      return prefixes.every((prefix, index) => prefixes.slice(index + 1).every((other) => !overlap(prefix, other)));
    },
    { path: ["jwt"], error: "has two any_subject prefixes of which one begins with the other" },
  )
  .refine(
    ({ jwt, spiffe }) =>
      jwt.every(({ issuer }) => !(spiffe ?? []).some(({ trust_domain: domain }) => issuer === domainId(domain))),
    { path: ["jwt"], error: "has an issuer with the name of a trust domain of enclave.identity.spiffe" },
  );

/** `enclave.identity` with its defaults. */
export type IdentitySettings = z.output<typeof identitySchema>;
