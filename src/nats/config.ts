/**
 * The configuration of a NATS server for shared runs: who may connect, and with the right to no more than
 * its part of what coordinator and workers say to each other.
 */

import { nkeys } from "@nats-io/nats-core";
import { answersOf, HELLO, JOBS, jobsFor, type Role, WEIGHTS } from "./server.ts";

/** What a role may say, and hear. */
interface Rights {
  readonly publish: readonly string[];
  readonly subscribe: readonly string[];
}

/** Answers to requests come here. */
const INBOX = "_INBOX.>";

/** The rights of each role; of a worker, those of one name, or of any. */
export function rightsOf(role: Role, worker = "*"): Rights {
  if (role === "worker") {
    return {
      publish: [
        HELLO,
        answersOf(worker),
        `$JS.API.CONSUMER.INFO.${JOBS}.${worker}`,
        `$JS.API.CONSUMER.MSG.NEXT.${JOBS}.${worker}`,
        `$JS.ACK.${JOBS}.>`,
        `$JS.API.STREAM.INFO.KV_${WEIGHTS}`,
        `$JS.API.DIRECT.GET.KV_${WEIGHTS}.>`,
      ],
      subscribe: [INBOX],
    };
  }
  const ofStreams = ["INFO", "CREATE", "UPDATE", "DELETE", "PURGE"].flatMap((verb) =>
    [JOBS, `KV_${WEIGHTS}`].map((stream) => `$JS.API.STREAM.${verb}.${stream}`)
  );
  return {
    publish: [
      HELLO,
      INBOX,
      jobsFor("*"),
      `$KV.${WEIGHTS}.>`,
      "$JS.API.INFO",
      ...ofStreams,
      `$JS.API.CONSUMER.*.${JOBS}.>`,
      `$JS.API.CONSUMER.DURABLE.CREATE.${JOBS}.>`,
    ],
    subscribe: [HELLO, answersOf("*"), INBOX],
  };
}

/** How a server is to be set up. */
export interface ServerOptions {
  /** What workers and page connect to. */
  readonly host: string;
  readonly port: number;
  /** Files of a certificate and its key, for wss://; without them it is for one machine or a wire that is trusted. */
  readonly certificate?: string;
  readonly key?: string;
  /** Names of workers that get an nkey each, with the rights of that name alone; none: one token for all. */
  readonly workers: readonly string[];
}

/** A configuration, and what each of those who connect is given. */
export interface Configuration {
  readonly text: string;
  readonly secrets: readonly { readonly who: string; readonly secret: string }[];
}

/** A token that nobody guesses: 192 random bits. */
function newToken(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(24));
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_");
}

const list = (subjects: readonly string[]) =>
  `[${subjects.map((subject) => JSON.stringify(subject)).join(", ")}]`;

function userOf(credentials: string, { publish, subscribe }: Rights): string {
  return `    {
      ${credentials}
      permissions: {
        publish: { allow: ${list(publish)} }
        subscribe: { allow: ${list(subscribe)} }
      }
    }`;
}

/** Makes a configuration, with fresh secrets. */
export function configure(
  { host, port, certificate, key, workers }: ServerOptions,
): Configuration {
  const secrets: { who: string; secret: string }[] = [], users: string[] = [];
  const withToken = (role: Role) => {
    const token = newToken();
    secrets.push({ who: `${role}, --token`, secret: token });
    users.push(userOf(`user: ${role}, password: ${JSON.stringify(token)}`, rightsOf(role)));
  };
  withToken("coordinator");
  if (workers.length === 0) withToken("worker");
  for (const worker of workers) {
    const pair = nkeys.createUser();
    secrets.push({
      who: `worker --name ${worker}, its --nkey file`,
      secret: new TextDecoder().decode(pair.getSeed()),
    });
    users.push(userOf(`nkey: ${pair.getPublicKey()}`, rightsOf("worker", worker)));
  }
  const tls = certificate !== undefined && key !== undefined
    ? `tls { cert_file: ${JSON.stringify(certificate)}, key_file: ${JSON.stringify(key)} }`
    : "no_tls: true";
  const text = `# A NATS server for shared runs of numerical gradients: nats-server -c THIS_FILE.
# It holds secrets. Outside of one machine take nats-server 2.12.6 or later, and a certificate.
listen: "127.0.0.1:4222"
max_payload: 8MB
jetstream { store_dir: "nats-data", max_memory_store: 1GB }
websocket {
  listen: ${JSON.stringify(`${host}:${port}`)}
  ${tls}
}
authorization {
  users: [
${users.join("\n")}
  ]
}
`;
  return { text, secrets };
}
