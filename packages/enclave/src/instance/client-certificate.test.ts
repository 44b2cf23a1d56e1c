import assert from "node:assert/strict";
import { createPrivateKey, hash, X509Certificate } from "node:crypto";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { connect, createServer, type TLSSocket } from "node:tls";
import { ClientCertificate } from "./client-certificate.ts";

const NAME = "A".repeat(43);

test("the certificate is of its key, signed with it, for TLS clients and as long valid as an instance runs", () => {
  const made = new ClientCertificate(NAME);
  const read = new X509Certificate(made.certificate);
  assert.ok(read.verify(read.publicKey));
  assert.ok(read.checkPrivateKey(createPrivateKey(made.privateKey)));
  assert.equal(read.subject, `CN=${NAME}`);
  assert.equal(read.issuer, read.subject);
  assert.equal(read.ca, false);
  assert.deepEqual(read.keyUsage, ["1.3.6.1.5.5.7.3.2"]);
  assert.deepEqual([read.validFrom, read.validTo], ["Jan  1 00:00:00 2024 GMT", "Dec 31 23:59:59 9999 GMT"]);
  assert.equal(made.spkiSha256, hash("sha256", read.publicKey.export({ type: "spki", format: "der" }), "base64url"));
});

test("a certificate can be read whatever its length, whole lines of PEM among them", () => {
  for (let length = 1; length <= 48; length += 1) {
    const { certificate } = new ClientCertificate("A".repeat(length));
    assert.ok(!certificate.includes("\n\n"));
    assert.equal(new X509Certificate(certificate).subject.length, "CN=".length + length);
  }
});

test("each instance has a key of its own", () => {
  const [one, two] = [new ClientCertificate(NAME), new ClientCertificate(NAME)];
  assert.notEqual(one.spkiSha256, two.spkiSha256);
  assert.notEqual(new X509Certificate(one.certificate).serialNumber, new X509Certificate(two.certificate).serialNumber);
});

test("a server that trusts this certificate alone lets its holder in, and nobody else", async (t) => {
  const [own, other] = [new ClientCertificate("own"), new ClientCertificate("other")];
  const served = new ClientCertificate("server");
  const server = createServer(
    { cert: served.certificate, key: served.privateKey, ca: [own.certificate], requestCert: true },
    (socket) => socket.end("welcome"),
  );
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  const answer = async (client: ClientCertificate | null): Promise<string> => {
    const shown = client === null ? {} : { cert: client.certificate, key: client.privateKey };
    const socket: TLSSocket = connect({ port, host: "127.0.0.1", rejectUnauthorized: false, ...shown });
    let text = "";
    socket.on("data", (bytes: Buffer) => {
      text += bytes.toString();
    });
    socket.on("error", () => undefined);
    await new Promise((resolve) => socket.once("close", resolve));
    return text;
  };
  assert.deepEqual([await answer(own), await answer(other), await answer(null)], ["welcome", "", ""]);
});
