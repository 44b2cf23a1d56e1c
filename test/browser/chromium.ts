/** A real browser that a test drives over the Chrome DevTools Protocol: a page, its keyboard, and an authenticator in software. */
import { spawn, type ChildProcess } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";

const NAMES = ["chromium", "chromium-browser", "google-chrome"];

/** The browser of this machine; `null` where there is none. */
export const CHROMIUM: string | null =
  process.env["CMCP_CHROMIUM"] ??
  (process.env["PATH"] ?? "")
    .split(delimiter)
    .flatMap((folder) => NAMES.map((name) => join(folder, name)))
    .find(isProgram) ??
  null;

export const NO_BROWSER = "needs a browser: apt-get install chromium, or CMCP_CHROMIUM";
/** Why a test of pages is skipped; `false` where it runs. */
export const withoutBrowser: string | false = CHROMIUM === null ? NO_BROWSER : false;

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly sessionId?: string;
  readonly params?: Readonly<Record<string, unknown>>;
  readonly result?: Readonly<Record<string, unknown>>;
  readonly error?: { readonly message: string };
}

type Listener = (params: Readonly<Record<string, unknown>>) => void;

/** A running browser with a profile of its own. */
export class Browser {
  readonly #process: ChildProcess;
  readonly #socket: WebSocket;
  readonly #profile: string;
  readonly #waiting = new Map<number, (message: Message) => void>();
  readonly #listeners: { readonly session: string; readonly method: string; readonly take: Listener }[] = [];
  #last = 0;

  private constructor(child: ChildProcess, socket: WebSocket, profile: string) {
    this.#process = child;
    this.#socket = socket;
    this.#profile = profile;
    socket.addEventListener("message", ({ data }) => {
      const message = JSON.parse(String(data)) as Message;
      if (message.id !== undefined) this.#waiting.get(message.id)?.(message);
      for (const { session, method, take } of this.#listeners)
        if (message.sessionId === session && message.method === method) take(message.params ?? {});
    });
  }

  static async start(): Promise<Browser> {
    if (CHROMIUM === null) throw new Error("no chromium is installed");
    const profile = await mkdtemp(join(tmpdir(), "cmcp-browser-"));
    const options = [
      "--headless=new",
      "--no-sandbox",
      "--disable-gpu",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-dev-shm-usage",
      "--window-size=1000,1200",
      "--remote-debugging-port=0",
      `--user-data-dir=${profile}`,
      "about:blank",
    ];
    const child = spawn(CHROMIUM, options, { stdio: ["ignore", "ignore", "pipe"] });
    for await (const line of createInterface(child.stderr)) {
      const address = /^DevTools listening on (ws:\S+)$/.exec(line)?.[1];
      if (address === undefined) continue;
      child.stderr.resume();
      const socket = new WebSocket(address);
      await new Promise((opened, failed) => {
        socket.addEventListener("open", opened);
        socket.addEventListener("error", failed);
      });
      return new Browser(child, socket, profile);
    }
    throw new Error("the browser ended before it could be driven");
  }

  async send(method: string, params: object = {}, sessionId?: string): Promise<Readonly<Record<string, unknown>>> {
    const id = (this.#last += 1);
    const answer = new Promise<Message>((resolve) => this.#waiting.set(id, resolve));
    this.#socket.send(JSON.stringify({ id, method, params, ...(sessionId === undefined ? {} : { sessionId }) }));
    const { result = {}, error } = await answer;
    this.#waiting.delete(id);
    if (error !== undefined) throw new Error(`${method}: ${error.message}`);
    return result;
  }

  on(session: string, method: string, take: Listener): void {
    this.#listeners.push({ session, method, take });
  }

  /** A new tab. */
  async open(url: string): Promise<Tab> {
    const { targetId } = await this.send("Target.createTarget", { url: "about:blank" });
    const { sessionId } = await this.send("Target.attachToTarget", { targetId, flatten: true });
    const tab = new Tab(this, String(sessionId));
    await tab.prepare();
    await tab.go(url);
    return tab;
  }

  async close(): Promise<void> {
    const ended = new Promise((resolve) => this.#process.once("exit", resolve));
    this.#socket.close();
    this.#process.kill("SIGKILL");
    await ended;
    await rm(this.#profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  }
}

/** A credential as the protocol has it. */
export type VirtualCredential = Readonly<Record<string, unknown>>;

/** One tab with an authenticator of its own. */
export class Tab {
  readonly #browser: Browser;
  readonly #session: string;
  #authenticator = "";
  /** What the browser complained of: scripts that failed, and what the page's policy forbids. */
  readonly complaints: string[] = [];
  /** Bodies of the page's requests, by the end of their path. */
  readonly sent: { readonly path: string; readonly body: string }[] = [];

  constructor(browser: Browser, session: string) {
    this.#browser = browser;
    this.#session = session;
  }

  async send(method: string, params: object = {}): Promise<Readonly<Record<string, unknown>>> {
    return await this.#browser.send(method, params, this.#session);
  }

  on(method: string, take: Listener): void {
    this.#browser.on(this.#session, method, take);
  }

  async prepare(): Promise<void> {
    this.on("Log.entryAdded", ({ entry }) => {
      const { source, level, text } = entry as { source: string; level: string; text: string };
      // An answer with the status of a refusal is logged as well, and is nothing that the page did wrong.
      if (level === "error" && source !== "network") this.complaints.push(text);
    });
    this.on("Runtime.exceptionThrown", (params) => this.complaints.push(JSON.stringify(params)));
    this.on("Network.requestWillBeSent", ({ request }) => {
      const { url, postData = "" } = request as { url: string; postData?: string };
      this.sent.push({ path: new URL(url).pathname.replace(/^\/[^/]*\//, ""), body: postData });
    });
    for (const domain of ["Page", "Runtime", "Log", "Network", "WebAuthn"]) await this.send(`${domain}.enable`);
    const options = {
      protocol: "ctap2",
      transport: "internal",
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified: true,
      automaticPresenceSimulation: true,
    };
    const { authenticatorId } = await this.send("WebAuthn.addVirtualAuthenticator", { options });
    this.#authenticator = String(authenticatorId);
  }

  async go(url: string): Promise<void> {
    const loaded = new Promise((resolve) => this.on("Page.loadEventFired", resolve));
    await this.send("Page.navigate", { url });
    await loaded;
  }

  /** Whether the authenticator finds that its user is there. */
  async setUserVerified(isUserVerified: boolean): Promise<void> {
    await this.send("WebAuthn.setUserVerified", { authenticatorId: this.#authenticator, isUserVerified });
  }

  async credentials(): Promise<readonly VirtualCredential[]> {
    const { credentials } = await this.send("WebAuthn.getCredentials", { authenticatorId: this.#authenticator });
    return credentials as readonly VirtualCredential[];
  }

  async addCredentials(credentials: readonly VirtualCredential[]): Promise<void> {
    for (const credential of credentials)
      await this.send("WebAuthn.addCredential", { authenticatorId: this.#authenticator, credential });
  }

  /** What an expression is worth in the page; promises are awaited. */
  async evaluate<T>(expression: string): Promise<T> {
    const { result, exceptionDetails } = await this.send("Runtime.evaluate", {
      expression,
      awaitPromise: true,
      returnByValue: true,
      userGesture: true,
    });
    if (exceptionDetails !== undefined) throw new Error(JSON.stringify(exceptionDetails));
    return (result as { value: T }).value;
  }

  /** The page's text. */
  async text(): Promise<string> {
    return await this.evaluate<string>("document.body.innerText");
  }

  /** Waits until the page shows what matches. */
  async shows(wanted: RegExp): Promise<string> {
    for (let tries = 0; tries < 600; tries += 1) {
      const text = await this.text();
      if (wanted.test(text)) return text;
      await new Promise((resolve) => {
        setTimeout(resolve, 50);
      });
    }
    throw new Error(`the page does not show ${String(wanted)}: ${await this.text()}`);
  }

  /** Moves the keyboard with the Tab key to what is called so, and presses Enter. */
  async press(name: string): Promise<void> {
    await this.reach(name);
    await this.key("Enter", "\r");
  }

  /** Moves the keyboard with the Tab key to the control of this text or label. */
  async reach(name: string): Promise<void> {
    for (let steps = 0; steps < 60; steps += 1) {
      await this.key("Tab", "");
      const focused = await this.evaluate<string>(
        "document.activeElement === document.body ? '' : (document.activeElement.labels?.[0] ?? document.activeElement).textContent",
      );
      if (focused.startsWith(name)) return;
    }
    throw new Error(`the keyboard does not reach ${name}: ${await this.text()}`);
  }

  async key(key: string, text: string): Promise<void> {
    const code = key === "Enter" ? 13 : 9;
    const common = { key, code: key, windowsVirtualKeyCode: code };
    await this.send("Input.dispatchKeyEvent", { type: "keyDown", ...common, ...(text === "" ? {} : { text }) });
    await this.send("Input.dispatchKeyEvent", { type: "keyUp", ...common });
  }

  async type(text: string): Promise<void> {
    await this.send("Input.insertText", { text });
  }

  /** Writes a picture of the whole page where the environment names a folder for such. */
  async picture(name: string): Promise<void> {
    const folder = process.env["CMCP_PICTURES"];
    if (folder === undefined) return;
    // A tab behind another is not drawn.
    await this.send("Page.bringToFront");
    for (const scheme of ["light", "dark"]) {
      await this.send("Emulation.setEmulatedMedia", { features: [{ name: "prefers-color-scheme", value: scheme }] });
      const { data } = await this.send("Page.captureScreenshot", { captureBeyondViewport: true, format: "png" });
      await writeFile(join(folder, `approvals-${name}-${scheme}.png`), Buffer.from(String(data), "base64"));
    }
  }
}
