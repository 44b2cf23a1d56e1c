import { test } from "node:test";
import { pck, pem, platformCa, root, tcbSigner } from "./testing/platform.ts";
import { fails } from "./testing/verification.ts";

test("the PCK is the certificate that names a platform, wherever it stands in its chain", async () => {
  for (const chain of [
    [pck, platformCa, root],
    [root, platformCa, pck],
    [platformCa, tcbSigner, pck, root],
    [tcbSigner, pck, platformCa, root],
  ])
    await fails({ quote: { certification: { type: 5, data: Buffer.from(pem(...chain)) } } }, {});
});
