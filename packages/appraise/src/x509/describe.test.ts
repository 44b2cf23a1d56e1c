import assert from "node:assert/strict";
import { test } from "node:test";
import { CA_USES, issue, issueList } from "../testing/authority.ts";
import { Certificate } from "./certificate.ts";
import { describeCertificate, describeRevocationList } from "./describe.ts";
import { RevocationList } from "./revocation-list.ts";

const root = await issue({ subject: "O=Somebody, CN=root", serial: "0a", ca: true, pathLength: 1, uses: CA_USES });

test("a certificate and a list are shown by what they say", async () => {
  const shown = Object.fromEntries(
    describeCertificate(Certificate.parse(root.der)).map(({ label, value }) => [label, value]),
  );
  assert.deepEqual(
    [shown["subject"], shown["serial"], shown["valid"], shown["signature"], shown["authority"], shown["key usage"]],
    [
      "O=Somebody, CN=root",
      "0a",
      "2025-01-01T00:00:00.000Z to 2027-01-01T00:00:00.000Z",
      "ecdsa with SHA-384",
      "yes, 1 below it",
      "keyCertSign, cRLSign",
    ],
  );
  const list = RevocationList.parse(await issueList(root, { serials: ["0b"] }));
  assert.deepEqual(describeRevocationList(list), [
    { label: "issuer", value: "O=Somebody, CN=root" },
    { label: "covers", value: "2025-01-01T00:00:00.000Z to 2027-01-01T00:00:00.000Z" },
    { label: "revoked", value: "1" },
  ]);
});
