import "reflect-metadata";
import { createHash, createPublicKey } from "node:crypto";
import * as x509 from "@peculiar/x509";

/** A self-signed server certificate for 127.0.0.1 and localhost, and what a catalog pins of it. */
export interface ServerCertificate {
  readonly cert: string;
  readonly key: string;
  /** `SHA256:` and base64 of the SHA-256 of the SubjectPublicKeyInfo. */
  readonly fingerprint: string;
}

const DAY_MS = 86_400_000;
const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };

/** Makes a fresh key and a certificate for it, valid since a minute ago and for a day, or for so many days before and after today. */
export async function makeServerCertificate(days?: number): Promise<ServerCertificate> {
  const keys = await crypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: "CN=127.0.0.1",
    notBefore: new Date(Date.now() - (days === undefined ? 60_000 : days * DAY_MS)),
    notAfter: new Date(Date.now() + (days ?? 1) * DAY_MS),
    signingAlgorithm: ALGORITHM,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.SubjectAlternativeNameExtension([
        { type: "ip", value: "127.0.0.1" },
        { type: "dns", value: "localhost" },
      ]),
    ],
  });
  const cert = certificate.toString("pem");
  const pkcs8 = Buffer.from(await crypto.subtle.exportKey("pkcs8", keys.privateKey)).toString("base64");
  const spki = createPublicKey(cert).export({ type: "spki", format: "der" });
  return {
    cert,
    key: `-----BEGIN PRIVATE KEY-----\n${pkcs8}\n-----END PRIVATE KEY-----\n`,
    fingerprint: `SHA256:${createHash("sha256").update(spki).digest("base64")}`,
  };
}
