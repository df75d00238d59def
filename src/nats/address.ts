/** Where a NATS server is, and what one is told who has none. It loads nothing, for the launcher reads it. */

/**
 * The address of a server's websocket, as it was typed, and what stands before its @.
 * @throws {TypeError} where it is none.
 */
export function parseAddress(text: string): { url: string; token?: string } {
  const whole = /^wss?:\/\//.test(text) ? text : text.includes("://") ? "" : `ws://${text}`;
  const address = URL.canParse(whole) ? new URL(whole) : undefined;
  if (!address || address.hostname === "") {
    throw new TypeError(
      `Cannot reach ${text}: give the address of a NATS server's websocket, as ws://127.0.0.1:8081`,
    );
  }
  const token = decodeURIComponent(address.password || address.username) || undefined;
  return { url: `${address.protocol}//${address.host}`, token };
}

/** What a server needs to be told, for who has none. */
export const HOW_TO_SERVE = `A server for a try, on this machine alone:

  cat > nats.conf <<'END'
  listen: 127.0.0.1:4222
  max_payload: 8MB
  jetstream { store_dir: "nats-data" }
  websocket { listen: "127.0.0.1:8081", no_tls: true }
  END
  nats-server -c nats.conf

and --nats ws://127.0.0.1:8081. For other machines: deno task nats-config.`;
