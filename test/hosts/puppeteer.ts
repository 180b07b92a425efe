/** Chromium by its DevTools protocol and Firefox by WebDriver BiDi, with puppeteer-core. */
import { setTimeout } from "node:timers/promises";
import { type BrowserContext, launch, type Browser as Launched, type Page as OpenPage } from "puppeteer-core";
import type { Browser, Page } from "./browser.js";

/** For containers, and to prevent network requests by the browser itself. */
const CHROMIUM_ARGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

const NAVIGATION_TIMEOUT = 120_000;
const CLOSING_TIMEOUT = 20_000;

export async function launchByPuppeteer(name: "Chromium" | "Firefox", executablePath: string): Promise<Browser> {
  const browser = await (name === "Chromium"
    ? launch({ browser: "chrome", executablePath, args: CHROMIUM_ARGS })
    : launch({ browser: "firefox", executablePath }));
  return {
    name,
    version: (await browser.version()).replace(/^.*\//, ""),
    newPage: () => newPage(browser),
    close: () => browser.close(),
  };
}

/** A Chromium with an extension, which is loaded from a folder. */
export interface Extension {
  readonly page: Page;
  /** Of its files. */
  readonly origin: string;
  close(): Promise<void>;
}

export async function launchExtension(executablePath: string, folder: string): Promise<Extension> {
  const browser = await launch({ browser: "chrome", executablePath, args: CHROMIUM_ARGS, enableExtensions: true });
  const id = await browser.installExtension(folder);
  return {
    page: driven(await browser.newPage()), // contexts of their own do not show extensions
    origin: `chrome-extension://${id}`,
    close: () => browser.close(),
  };
}

async function newPage(browser: Launched): Promise<Page> {
  const context = await browser.createBrowserContext();
  return { ...driven(await context.newPage()), close: () => closeInTime(context) };
}

/** Chromium now and then never says that a context is closed: it is left to the end of the browser then. The page has been read by now. */
const closeInTime = async (context: BrowserContext): Promise<void> => {
  await Promise.race([context.close().catch(() => undefined), setTimeout(CLOSING_TIMEOUT, undefined, { ref: false })]);
};

function driven(page: OpenPage): Page {
  page.setDefaultNavigationTimeout(NAVIGATION_TIMEOUT);
  const log: string[] = [];
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warn") log.push(`${message.type()}: ${message.text()}`);
  });
  page.on("pageerror", (error) => log.push(`error: ${(error as Error).message}`));
  page.on("response", (response) => {
    if (response.status() >= 400) log.push(`${response.status()} ${response.url()}`);
  });
  return {
    goto: async (url) => {
      await page.goto(url);
    },
    reload: async () => {
      await page.reload();
    },
    goBack: async () => {
      await page.goBack();
    },
    evaluate: (expression) => page.evaluate(expression),
    log,
    close: () => page.close(),
  };
}
