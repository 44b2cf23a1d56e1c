import { toHex } from "@cmcp/boundary";
import type { Row } from "../event-log/describe.ts";
import type { Certificate } from "./certificate.ts";
import type { RevocationList } from "./revocation-list.ts";

/** A certificate for a person to read. Not verified. */
export function describeCertificate(certificate: Certificate): readonly Row[] {
  const { algorithm, keyUsage, pathLength } = certificate;
  const limit = pathLength === undefined ? "" : `, ${pathLength} below it`;
  return [
    { label: "subject", value: certificate.subjectText },
    { label: "issuer", value: certificate.issuerText },
    { label: "serial", value: certificate.serialHex },
    { label: "valid", value: `${certificate.notBefore.toISOString()} to ${certificate.notAfter.toISOString()}` },
    {
      label: "signature",
      value:
        algorithm.kind === "unsupported" ? `unsupported, ${algorithm.oid}` : `${algorithm.kind} with ${algorithm.hash}`,
    },
    { label: "authority", value: certificate.isCa ? `yes${limit}` : "no" },
    { label: "key usage", value: keyUsage === undefined ? "any" : [...keyUsage].join(", ") },
    { label: "public key", value: toHex(certificate.spki) },
  ];
}

/** A revocation list for a person to read. Not verified. */
export function describeRevocationList(list: RevocationList): readonly Row[] {
  return [
    { label: "issuer", value: list.issuerText },
    { label: "covers", value: `${list.thisUpdate.toISOString()} to ${list.nextUpdate.toISOString()}` },
    { label: "revoked", value: `${list.size}` },
  ];
}
