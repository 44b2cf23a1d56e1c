/** The host's side of the kernel's vsock, with one guest as host and guest (CID 1). */
import assert from "node:assert/strict";
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import type { Listener } from "@cmcp/wire";
import { SERVICES_PORT } from "../../../host-proxy/src/launcher/vsock/ports.ts";
import { waitUntilUnreachable, DEFAULT_WATCH } from "../../../host-proxy/src/launcher/vsock/wait-until-unreachable.ts";
import { listenForGuest, routeDialer } from "../../../host-proxy/src/launcher/vsock/route.ts";

const TURNS_MS = 200;
const addon = process.env["CMCP_VSOCK_ADDON"] ?? "";
const { signal: never } = new AbortController();
const self = { cid: 1, addon };
const elsewhere = { cid: 7, addon };
const dialer = routeDialer(self, SERVICES_PORT);

/** Closes a listener and gives the addon the turns of the loop in which the port is let go. */
async function released(listener: Listener): Promise<void> {
  await listener.close();
  await delay(TURNS_MS);
}

/** Checks by name. */
export const routeChecks: Readonly<Record<string, () => Promise<void>>> = {
  "a guest finds the services of its host": async () => {
    const listener = await listenForGuest(self, (stream) => stream.pipe(stream));
    const stream = await dialer.dial(never);
    stream.write("hello");
    const [answer] = (await once(stream, "data")) as [Buffer];
    assert.equal(answer.toString(), "hello");
    stream.destroy();
    await released(listener);
  },
  "another guest does not": async () => {
    let served = 0;
    const listener = await listenForGuest(elsewhere, () => (served += 1));
    const stream = await dialer.dial(never);
    await new Promise<void>((resolve) =>
      stream
        .on("error", () => resolve())
        .on("end", () => resolve())
        .resume(),
    );
    assert.equal(served, 0);
    await released(listener);
  },
  "a second gateway on the kernel's vsock is refused, until the first is gone": async () => {
    const first = await listenForGuest(self, (stream) => stream.destroy());
    await assert.rejects(
      listenForGuest(elsewhere, (stream) => stream.destroy()),
      { code: "LAUNCH_VSOCK_IN_USE", message: /vsock port 6000, of which a host has one for all its guests/ },
    );
    await released(first);
    await released(await listenForGuest(elsewhere, (stream) => stream.destroy()));
  },
  "a machine whose sockets close is noticed at once": async () => {
    const accepted = Promise.withResolvers<void>();
    const listener = await listenForGuest(self, () => accepted.resolve());
    const noticed = waitUntilUnreachable(dialer, never, { ...DEFAULT_WATCH, everyMs: 3_600_000 });
    await accepted.promise;
    await listener.close();
    await noticed;
    await assert.rejects(dialer.dial(never), { code: "WIRE_UNREACHABLE" });
  },
};
