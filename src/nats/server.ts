/**
 * The NATS server as coordinator and workers use it: what things are called there, how one connects, and
 * the stream and the bucket, both in memory, that the coordinator keeps there. All of it can be gone at any
 * moment, and is made again.
 */

import {
  type Authenticator,
  deadline,
  type NatsConnection,
  nkeyAuthenticator,
  tokenAuthenticator,
  usernamePasswordAuthenticator,
  wsconnect,
} from "@nats-io/nats-core";
import {
  AckPolicy,
  type Consumer,
  jetstream,
  type JetStreamClient,
  type JetStreamManager,
  jetstreamManager,
  RetentionPolicy,
  StorageType,
} from "@nats-io/jetstream";
import { type KV, Kvm } from "@nats-io/kv";

export type { NatsConnection };

/** Everything of this program begins so on the server. */
const PREFIX = "gradients";
/** A worker's word to the coordinator, which answers. */
export const HELLO = `${PREFIX}.hello`;
/** Jobs for one worker. */
export const jobsFor = (worker: string) => `${PREFIX}.jobs.${worker}`;
/** Answers of one worker, or of all. */
export const answersOf = (worker: string) => `${PREFIX}.answers.${worker}`;
/** The stream of jobs, and the bucket of weights. */
export const JOBS = `${PREFIX}-jobs`, WEIGHTS = `${PREFIX}-weights`;

/** The two that connect, by the names that the server knows them under. */
export type Role = "coordinator" | "worker";

/** How one connects. */
export interface Access {
  /** The server's websocket: ws://host:port, or wss:// where it has a certificate. */
  readonly url: string;
  readonly role: Role;
  /** What the server asks of that role, if anything. */
  readonly token?: string;
  /** The seed of an nkey, in place of it. */
  readonly nkey?: string;
}

/** Milliseconds between attempts to connect again. */
const RECONNECT = 250;
/** Milliseconds that the first one may take. */
const PATIENCE = 5000;

/** Milliseconds that an answer of the server's may take. */
const GRACE = 1000;

/** Nothing listens there, or it is no NATS server. */
export class NoServer extends TypeError {}

/**
 * Connects, and from then on again whenever the connection is lost.
 * @throws {NoServer} where nothing answers.
 * @throws {TypeError} where the server does not let it in, or has no room for large messages.
 */
export async function connectTo({ url, role, token, nkey }: Access): Promise<NatsConnection> {
  const authenticator: Authenticator[] = nkey !== undefined
    ? [nkeyAuthenticator(new TextEncoder().encode(nkey.trim()))]
    : token !== undefined
    // For a server with one token for all, and for one that knows the roles by name.
    ? [tokenAuthenticator(token), usernamePasswordAuthenticator(role, token)]
    : [];
  let connection: NatsConnection;
  try {
    connection = await wsconnect({
      servers: url,
      name: `numerical-gradients ${role}`,
      authenticator,
      ignoreClusterUpdates: true, // no other host than the one that was named
      maxReconnectAttempts: -1,
      reconnectTimeWait: RECONNECT,
      ignoreAuthErrorAbort: true,
      pingInterval: 10_000,
      timeout: PATIENCE,
    });
  } catch (error) {
    const { message, name } = error as Error;
    if (/authori[sz]ation|authentication/i.test(`${name} ${message}`)) {
      throw new TypeError(
        `Cannot use ${url}: the server does not let this ${role} in; give its token with --token`,
      );
    }
    throw new NoServer(
      `Cannot reach ${url}: ${message || "nothing answers"}; start a server there`,
    );
  }
  const room = connection.info?.max_payload ?? 0;
  if (room < 2 ** 20) {
    await connection.close();
    throw new TypeError(
      `Cannot use ${url}: its messages are of ${room} bytes at most; set max_payload: 8MB there`,
    );
  }
  return connection;
}

/** What the coordinator keeps on the server. */
export class Board {
  readonly #connection: NatsConnection;
  readonly #js: JetStreamClient;
  #manager: JetStreamManager | undefined;
  #weights: KV | undefined;

  constructor(connection: NatsConnection) {
    this.#connection = connection;
    this.#js = jetstream(connection, { timeout: 3000 });
  }

  /**
   * Makes the stream and the bucket, both empty.
   * @throws {Error} where the server cannot keep any.
   */
  async set(): Promise<void> {
    const manager = this.#manager = await jetstreamManager(this.#connection, { timeout: 3000 });
    for (const stream of [JOBS, `KV_${WEIGHTS}`]) {
      await manager.streams.delete(stream).catch(() => {}); // it may not be there
    }
    await manager.streams.add({
      name: JOBS,
      subjects: [jobsFor("*")],
      retention: RetentionPolicy.Workqueue,
      storage: StorageType.Memory,
    });
    this.#weights = await new Kvm(this.#js).create(WEIGHTS, {
      history: 1,
      storage: StorageType.Memory,
    });
  }

  /** Makes the place that a worker pulls its jobs from; what waited there is gone. */
  async seat(worker: string): Promise<void> {
    const { consumers } = this.#manager!;
    await consumers.delete(JOBS, worker).catch(() => {});
    await consumers.add(JOBS, {
      durable_name: worker,
      filter_subject: jobsFor(worker),
      ack_policy: AckPolicy.Explicit,
      // What is lost is given out again by who knows what it was for, and not by the server.
      max_deliver: 1,
    });
  }

  /** Takes it away, with the jobs that wait there. */
  async unseat(worker: string): Promise<void> {
    await this.#manager?.consumers.delete(JOBS, worker).catch(() => {});
    await this.#manager?.streams.purge(JOBS, { filter: jobsFor(worker) }).catch(() => {});
  }

  async post(worker: string, job: Uint8Array): Promise<void> {
    await this.#js.publish(jobsFor(worker), job);
  }

  /** Keeps one part of the weights. */
  async keep(key: string, part: Uint8Array): Promise<void> {
    await this.#weights!.put(key, part);
  }

  /** Forgets all weights but the last so many parts. */
  async forget(parts: number): Promise<void> {
    await this.#manager!.streams.purge(`KV_${WEIGHTS}`, { keep: parts });
  }
}

/** What a worker uses of the server. */
export class Desk {
  readonly #js: JetStreamClient;
  readonly #worker: string;
  #consumer: Consumer | undefined;
  #weights: KV | undefined;

  constructor(connection: NatsConnection, worker: string) {
    this.#js = jetstream(connection, { timeout: 3000 });
    this.#worker = worker;
  }

  /** The next job, waited for so many milliseconds; undefined where none came. */
  async next(milliseconds: number): Promise<{ data: Uint8Array; done(): void } | undefined> {
    const consumer = this.#consumer ??= await this.#js.consumers.get(JOBS, this.#worker);
    let message;
    try {
      // Where its place was taken away it may wait for ever.
      message = await deadline(consumer.next({ expires: milliseconds }), milliseconds + GRACE);
    } catch (error) {
      this.#consumer = undefined; // it may have been made again
      throw error;
    }
    return message ? { data: message.data, done: () => message.ack() } : undefined;
  }

  /** One part of the weights; undefined where it is not there any more. */
  async find(key: string): Promise<Uint8Array | undefined> {
    const bucket = this.#weights ??= await new Kvm(this.#js).open(WEIGHTS, { allow_direct: true });
    return (await bucket.get(key))?.value;
  }
}
