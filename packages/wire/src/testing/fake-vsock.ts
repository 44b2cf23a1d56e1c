import type { NativeSocket, VsockAddon, VsockNotify } from "../transport/vsock-addon.ts";

/** An addon with a kernel driven by hand. The real one is exercised in a booted image (test/vm). */
export class FakeVsock implements VsockAddon {
  /** Bytes the kernel takes before it has no room. */
  room = 0;
  /** Set, listening and connecting fail with this number. */
  refuses = 0;
  /** Bytes taken at each write. */
  readonly written: number[] = [];
  /** Each switch of reading. */
  readonly reading: boolean[] = [];
  readonly calls: string[] = [];
  #notify: VsockNotify = () => undefined;

  socket(): NativeSocket {
    return {} as NativeSocket;
  }

  /** Reports an event of the socket last listened on or connected. */
  tell(...event: Parameters<VsockNotify>): void {
    this.#notify(...event);
  }

  listen(_port: number, notify: VsockNotify): NativeSocket {
    return this.#open(notify);
  }

  connect(_cid: number, _port: number, notify: VsockNotify): NativeSocket {
    return this.#open(notify);
  }

  adopt(): void {
    // Accepted sockets of the fake say nothing.
  }

  read(_socket: NativeSocket, on: boolean): void {
    this.reading.push(on);
  }

  write(_socket: NativeSocket, bytes: Uint8Array): number {
    const taken = Math.min(this.room, bytes.length);
    this.room -= taken;
    this.written.push(taken);
    return taken;
  }

  shutdown(): void {
    this.calls.push("shutdown");
  }

  close(): void {
    this.calls.push("close");
  }

  #open(notify: VsockNotify): NativeSocket {
    if (this.refuses !== 0) throw Object.assign(new Error("refused"), { errno: this.refuses });
    this.#notify = notify;
    return this.socket();
  }
}
