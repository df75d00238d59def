import { chromium } from "npm:@playwright/test@1.65.1";
const b = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox","--enable-unsafe-webgpu","--use-webgpu-adapter=swiftshader"] });
const p = await (await b.newContext()).newPage();
p.on("console", (m) => console.log(m.type(), m.text()));
await p.goto("http://localhost:8137/?hidden=12&batch=20&steps=100000");
await p.waitForSelector("#bar[data-state=resting]");
await p.click("#start"); await p.waitForTimeout(3000);
await p.evaluate("debug.loseDevices()"); await p.waitForTimeout(3000);
const say = async (w: string) => console.log(w, await p.innerText("#notices"), "|", await p.innerText("#bar"), await p.getAttribute("#bar","data-state"));
await say("lost once");
await p.evaluate("window.losing = setInterval(() => debug.loseDevices(), 5)");
for (let i=0;i<8;i++){ await p.waitForTimeout(1000); await say("losing"); }
await p.evaluate("clearInterval(losing)");
await p.click("#start"); for (let i=0;i<8;i++){ await p.waitForTimeout(1000); await say("after"); }
await b.close();
