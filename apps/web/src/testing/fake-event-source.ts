/** An `EventSource` a test speaks through. */
export class FakeEventSource extends EventTarget {
  static readonly CONNECTING = 0;
  static readonly OPEN = 1;
  static readonly CLOSED = 2;
  static all: FakeEventSource[] = [];
  static get open(): FakeEventSource[] {
    return FakeEventSource.all.filter((stream) => stream.readyState !== FakeEventSource.CLOSED);
  }
  static get last(): FakeEventSource {
    const stream = FakeEventSource.all.at(-1);
    if (stream === undefined) throw new Error('no stream was opened');
    return stream;
  }

  readonly url: string;
  readyState = FakeEventSource.OPEN;

  constructor(url: string) {
    super();
    this.url = url;
    FakeEventSource.all.push(this);
  }
  close(): void {
    this.readyState = FakeEventSource.CLOSED;
  }
  say(event: string, data: unknown): void {
    this.dispatchEvent(new MessageEvent(event, { data: JSON.stringify(data) }));
  }
  fail(): void {
    this.dispatchEvent(new Event('error'));
  }
}
