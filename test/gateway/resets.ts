/** Sessions that have seen health data, and the operators who may reset them. */
import assert from "node:assert/strict";
import type { Receipt, SignedReset } from "@cmcp/audit/schema";
import { platformArguments } from "./appraisal.ts";
import { receiptOf } from "./fixture.ts";
import { newOperator } from "./operator.ts";
import { startDeployment, type Agent, type CallContext, type Deployment } from "./principals.ts";
import { startGateway } from "./gateway.ts";

/** Arguments of the call that policy denies once health data was seen. */
export const MESSAGE = { to: "ops@example.org", text: "hello" };
/** Arguments of the call that shows health data. */
export const PATIENT = { patient_id: "P-1001" };

/** A deployment with two operators. Each test has a session of its own, in which alice has seen health data. */
export class Resets {
  readonly operator = newOperator();
  readonly second = newOperator();
  /** What a test's statements count from; the statements of other tests count lower. */
  sequence = 0;
  /** The session's label. */
  label = "";
  #deployment: Deployment | undefined;
  #seen: Receipt | undefined;

  get deployment(): Deployment {
    return this.#deployment ?? assert.fail("the deployment is not started");
  }

  get alice(): Agent {
    return this.deployment.agent(this.deployment.tokenOf("alice"));
  }

  get bob(): Agent {
    return this.deployment.agent(this.deployment.tokenOf("bob"));
  }

  /** Receipt of the call that showed alice health data. */
  get seen(): Receipt {
    return this.#seen ?? assert.fail("no session has begun");
  }

  /** Starts the deployment. */
  async open(): Promise<void> {
    this.#deployment = await startDeployment(
      { alice: null, bob: null },
      [`operator_keys: [${this.operator.publicKey}, ${this.second.publicKey}]`],
      startGateway,
    );
  }

  async close(): Promise<void> {
    await this.deployment.close();
  }

  /** Begins a session of alice with the call that shows health data. */
  async beginSession(): Promise<void> {
    this.sequence += 10;
    this.label = `session-${this.sequence}`;
    this.#seen = receiptOf((await this.alice.call("get_patient_record", PATIENT, { label: this.label })).body);
  }

  /** Has alice send a message. Gives the error's code, or `sent`. */
  readonly send = async (how: CallContext = { label: this.label }): Promise<string> =>
    (await this.alice.call("send_message", MESSAGE, how)).body.error?.data?.error_code ?? "sent";

  /** Posts a statement without any bearer token. */
  readonly post = async (
    signed: SignedReset | object,
    session = this.seen.session_id,
  ): Promise<{ status: number; code: string }> => {
    const response = await fetch(`${this.deployment.gateway.url}/sessions/${session}/reset`, {
      method: "POST",
      body: JSON.stringify(signed),
      headers: { "content-type": "application/json" },
    });
    const body = (await response.json()) as { error?: { code: string } };
    return { status: response.status, code: body.error?.code ?? "reset" };
  };

  /** How an auditor accepts the platform of the session. */
  readonly platform = (): Promise<string[]> =>
    platformArguments(this.deployment.gateway, {
      token: this.deployment.tokenOf("alice"),
      session: this.seen.session_id,
      folder: this.deployment.folder,
    });

  /** Asserts that alice's new sessions still begin with what she has seen. */
  readonly isStillHeld = async (): Promise<void> =>
    assert.equal(await this.send({ label: `${this.label}-probe` }), "SESSION_SENSITIVITY_POLICY_DENY");
}
