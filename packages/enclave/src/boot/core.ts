import type { BufferedBytes } from "@cmcp/boundary";
import type { Catalog } from "@cmcp/catalog";
import type { IdentitySettings } from "@cmcp/identity";
import type { Config } from "@cmcp/launch";
import type { CompiledPolicy } from "@cmcp/policy";
import type { Vocabulary } from "@cmcp/session";
import type { Evidence, Platform } from "@cmcp/attestation";
import type { Identity } from "../instance/identity.ts";
import type { Freshness } from "../instance/freshness.ts";
import type { Reports } from "../instance/reports.ts";
import type { SessionEvidence } from "../instance/session-evidence.ts";
import type { Isolation } from "./isolation.ts";
import type { Credentials } from "../servers/credentials.ts";
import type { Clock } from "../instance/clock.ts";
import type { DriftMonitor } from "../servers/drift.ts";
import type { Journal } from "../record/journal.ts";
import type { SigningKey } from "../instance/keys.ts";
import type { Operators } from "../access/operators.ts";
import type { Policies } from "./policies.ts";
import type { Principals } from "../access/principals.ts";
import type { Claims } from "../record/claims.ts";
import type { Closing } from "../record/closing.ts";
import type { EarlierSessions } from "../record/earlier-session.ts";
import type { Past } from "../record/past.ts";
import type { Provisions } from "../record/provisions.ts";
import type { OwnRecord } from "../record/read-closed.ts";
import type { Recorder } from "../record/recorder.ts";
import type { Sessions } from "../record/sessions.ts";
import type { RequestStates } from "../call/request-state.ts";
import type { Tasks } from "../call/tasks.ts";
import type { Admission } from "../access/admission.ts";
import type { Cursors } from "../http/cursor.ts";
import type { StandingStreams } from "../access/standing-streams.ts";
import type { Subscriptions } from "../servers/subscriptions.ts";
import type { Listeners } from "../access/listeners.ts";
import type { Upstreams } from "../servers/upstreams.ts";

/** What an accepted launch document turned into; everything a request may touch. */
export interface Core {
  readonly config: Config;
  readonly development: boolean;
  /** `sha256:` and hex of the launch document's bytes as received. */
  readonly launchDigest: string;
  /** The launch document's bytes as received. It holds no secret, but policies that may be private. */
  readonly launchDocument: Uint8Array;
  /** `sha256:` and hex of the program this process runs, by its own account. */
  readonly buildDigest: string;
  /** The policy in force now; a decision keeps the one it was made under. */
  readonly policy: CompiledPolicy;
  readonly policies: Policies;
  readonly catalog: Catalog;
  readonly vocabulary: Vocabulary;
  readonly key: SigningKey;
  /** The instance's name: base64url of the signing key's RFC 7638 thumbprint. */
  readonly instance: string;
  /** The gateway's key over restarts; `null` where the platform keeps nothing. */
  readonly identity: Identity | null;
  readonly platform: Platform;
  readonly isolation: Isolation;
  readonly clock: Clock;
  readonly journal: Journal;
  readonly upstreams: Upstreams;
  readonly credentials: Credentials;
  readonly requestStates: RequestStates;
  /** Aborts when the gateway stops: what agents listen on ends. */
  readonly stopping: AbortController;
  /** Calls that became tasks at their servers. */
  readonly tasks: Tasks;
  readonly listeners: Listeners;
  /** The streams that agents listen on, each for as long as the token that opened it counts. */
  readonly standing: StandingStreams;
  readonly subscriptions: Subscriptions;
  readonly admission: Admission;
  /** The bytes held for agents and of servers. */
  readonly buffered: BufferedBytes;
  readonly cursors: Cursors;
  readonly drift: DriftMonitor;
  /** Who may call beside the holders of bearer tokens. */
  readonly callerIdentity: IdentitySettings;
  readonly principals: Principals;
  readonly operators: Operators;
  readonly sessions: Sessions;
  readonly recorder: Recorder;
  readonly claims: Claims;
  readonly closing: Closing;
  readonly provisions: Provisions;
  /** Where this instance reads its own records back. */
  readonly ownRecord: OwnRecord;
  readonly earlierSessions: EarlierSessions;
  /** What this instance found of those before it. */
  readonly history: Past["history"];
  readonly reports: Reports;
  /** How old the instance's own report is. */
  readonly freshness: Freshness;
  readonly sessionEvidence: SessionEvidence;
  /** Asks the platform for a report over 64 bytes of report data, for the gateway itself. */
  attest(reportData: Uint8Array): Promise<Evidence>;
}
