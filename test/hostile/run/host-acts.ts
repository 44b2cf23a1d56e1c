import { isTyped } from "../agent.ts";
import { CONTROL, principalId, provisionOf, tokenOf } from "../host/deployment.ts";
import { doctoredLog } from "../host/shown-log.ts";
import type { HostAct } from "../schedule/acts.ts";
import type { World } from "../world.ts";
import type { AgentSteps } from "./agent-steps.ts";

type Control = Extract<HostAct, { kind: "control" }>;
type Restart = Extract<HostAct, { kind: "restart" }>;

/** How long the host waits for the answer to a doctored control message. */
const CONTROL_MS = 1_500;
const text = (value: string): Uint8Array => Buffer.from(value);

/** What the host does, and what that means for what is expected. */
export class HostActs {
  /** The enclave was told to end, or refused its launch: it serves nobody from here on. */
  over = false;
  /** What an earlier enclave left was shown to this one otherwise than it was. */
  tampered = false;
  readonly #world: World;
  readonly #steps: AgentSteps;
  /** Records that were there before this schedule. */
  readonly #before: number;
  #killDuringBoot = 0;
  #newer = 0;

  constructor(world: World, steps: AgentSteps) {
    this.#world = world;
    this.#steps = steps;
    this.#before = world.host.store.repair();
  }

  async perform(act: HostAct): Promise<void> {
    const { host } = this.#world;
    switch (act.kind) {
      case "append":
      case "scan":
      case "prove":
      case "egress":
      case "answer":
      case "request":
      case "header":
      case "sealed":
        host.lies.arm(act);
        return;
      case "dial":
        host.lies.arm(act);
        host.relay.cut();
        return;
      case "control":
        return await this.#control(act);
      case "clock":
        host.clock.set(act.ms);
        return;
      case "cut":
        if (act.what === "egress") host.relay.cut();
        else host[act.what].cut();
        return;
      case "kill":
        this.#world.spent = true;
        if (host.alive) host.killAfter(act.after);
        else this.#killDuringBoot = act.after;
        return;
      case "restart":
        return await this.#restart(act);
    }
  }

  async #restart(act: Restart): Promise<void> {
    const { host } = this.#world;
    this.#world.spent = true;
    await host.kill();
    host.behave();
    await this.#steps.answered();
    const { store } = host;
    const shown = doctoredLog({ ...store.log, heads: store.heads, from: this.#before }, act);
    if (this.#killDuringBoot > 0) {
      host.killAfter(this.#killDuringBoot);
      this.#killDuringBoot = 0;
    }
    let { refused, past } = await this.#world.restart(shown);
    if (!host.alive) ({ refused, past } = await this.#world.restart());
    this.tampered = past.tampered;
    this.over = refused !== null;
    if (refused !== null && !isTyped(refused)) this.#world.find("recovery", `the launch was refused with ${refused}`);
    for (const agent of this.#steps.agents) agent.carry(past);
  }

  async #control({ lie, at }: Control): Promise<void> {
    const { host, deployed, find } = this.#world;
    const { reloads } = deployed;
    const told = host.requests.told;
    /** What the enclave must refuse. */
    const refused = async (t: "launch" | "provision" | "reload", body: Uint8Array): Promise<void> => {
      const code = await host.control({ t }, body, CONTROL_MS);
      if (code === null && told === host.requests.told) find("forbidden", `the enclave took ${lie}`);
      else if (code !== null && !isTyped(code)) find("reply", `${lie} was refused with ${code}`);
    };
    switch (lie) {
      case "launch-again":
        return await refused("launch", deployed.document);
      case "provision-again":
        await host.control({ t: "provision" }, deployed.provision, CONTROL_MS);
        return;
      case "provision-garbage":
        return await refused("provision", deployed.provision.subarray(0, at % deployed.provision.length));
      case "provision-stranger":
        return await refused("provision", provisionOf([["mallory", tokenOf(CONTROL)]]));
      case "provision-swapped": {
        const [first, second] = this.#steps.agents;
        const others = Array.from({ length: CONTROL + 1 }, (_, index) => [principalId(index), tokenOf(index)] as const);
        return await refused(
          "provision",
          provisionOf([
            ...others.filter(([id]) => id !== first.principal && id !== second.principal),
            [first.principal, second.token],
            [second.principal, first.token],
          ]),
        );
      }
      case "provision-nobody":
        await host.control({ t: "provision" }, provisionOf([[principalId(CONTROL), tokenOf(CONTROL)]]), CONTROL_MS);
        return;
      case "reload-garbage":
        return await refused("reload", reloads.same.subarray(0, at % reloads.same.length));
      case "reload-unsigned":
        return await refused("reload", reloads.unsigned);
      case "reload-forged":
        return await refused("reload", reloads.forged);
      case "reload-same":
        await host.control({ t: "reload" }, reloads.same, CONTROL_MS);
        return;
      case "reload-newer":
        this.#newer = await this.#world.reload(CONTROL_MS);
        return;
      case "reload-older":
        if (this.#newer > 0) await refused("reload", reloads.newer[this.#newer - 1] ?? text(""));
        return;
      case "append":
        // An exchange that only the enclave opens.
        await host.control({ t: "append", first: at }, text("{}"), CONTROL_MS);
        return;
      case "drain":
        this.over = true;
        this.#world.spent = true;
        await host.control({ t: "drain" }, text(""), CONTROL_MS);
        return;
    }
  }
}
