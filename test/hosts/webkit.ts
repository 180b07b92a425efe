/** WebKitGTK's MiniBrowser by WebDriver, on a screen in memory. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { Builder, Capabilities } from "selenium-webdriver";
import type { Browser, Page } from "./browser.js";

const TIMEOUT = 120_000;

/** WebKitGTK shares memory only if it is told to, even in an isolated page, where Safari does so by itself. */
const SHARES_MEMORY = { JSC_useSharedArrayBuffer: "1" };

export async function launchWebKit(binary: string): Promise<Browser> {
  const { screen, display } = await startScreen();
  const open = new Set<Page>();
  const openPage = async (): Promise<WebKitPage> => {
    const page = await startBrowser(binary, display, () => open.delete(page));
    open.add(page);
    return page;
  };
  const first = await openPage(); // which knows the version
  let unused: Page | undefined = first;
  return {
    name: "WebKitGTK",
    version: first.version,
    newPage: async () => {
      const page = unused ?? (await openPage());
      unused = undefined;
      return page;
    },
    close: async () => {
      for (const page of open) await page.close();
      screen.kill();
    },
  };
}

interface WebKitPage extends Page {
  readonly version: string;
}

/** A driver with a browser of its own: a driver has one session, and a tab in the background computes little. */
async function startBrowser(binary: string, display: string, closed: () => void): Promise<WebKitPage> {
  const port = await freePort();
  const env = { ...process.env, ...SHARES_MEMORY, DISPLAY: display };
  const service = spawn("/usr/bin/WebKitWebDriver", [`--port=${port}`], { env, stdio: "ignore" });
  const address = `http://127.0.0.1:${port}`;
  await answers(`${address}/status`);
  const options = { browserName: "MiniBrowser", "webkitgtk:browserOptions": { binary, args: ["--automation"] } };
  const driver = await new Builder().usingServer(address).withCapabilities(new Capabilities(options)).build();
  await driver.manage().setTimeouts({ script: TIMEOUT, pageLoad: TIMEOUT });
  const version = (await driver.getCapabilities()).getBrowserVersion()!;
  return {
    version,
    goto: (url) => driver.get(url),
    reload: () => driver.navigate().refresh(),
    goBack: () => driver.navigate().back(),
    evaluate: (expression) => driver.executeScript(`return (${expression});`),
    log: [],
    close: async () => {
      await driver.quit();
      service.kill();
      closed();
    },
  };
}

/** An X server on a display that is free. */
async function startScreen(): Promise<{ screen: ChildProcess; display: string }> {
  const args = ["-displayfd", "3", "-screen", "0", "1280x1024x24", "-nolisten", "tcp"];
  const screen = spawn("/usr/bin/Xvfb", args, { stdio: ["ignore", "ignore", "ignore", "pipe"] });
  const [number] = (await once(screen.stdio[3]!, "data")) as [Buffer];
  return { screen, display: `:${number.toString().trim()}` };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}

/** Waits until a server answers. */
async function answers(url: string): Promise<void> {
  for (const end = Date.now() + 10_000; ;) {
    try {
      await fetch(url);
      return;
    } catch (error) {
      if (Date.now() > end) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
