/** The browsers that tests drive, all in one way; CHROMIUM, FIREFOX and WEBKITGTK can name their executables. */
import { existsSync, readdirSync } from "node:fs";
import { areHostsRequired } from "./hosts.js";

export const BROWSERS = ["Chromium", "Firefox", "WebKitGTK"] as const;
export type BrowserName = (typeof BROWSERS)[number];

/** WebKitGTK's own browser; the folder of its architecture has it. */
const miniBrowsers = ["/usr/lib", "/usr/libexec", "/usr/lib64"]
  .filter(existsSync)
  .flatMap((folder) => [folder, ...readdirSync(folder).map((name) => `${folder}/${name}`)])
  .map((folder) => `${folder}/webkit2gtk-4.1/MiniBrowser`);

const PLACES: Readonly<Record<BrowserName, readonly string[]>> = {
  Chromium: [
    "/usr/bin/chromium",
    "/usr/bin/chromium-browser",
    "/usr/bin/google-chrome",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
  ],
  Firefox: ["/usr/bin/firefox-esr", "/usr/bin/firefox", "/Applications/Firefox.app/Contents/MacOS/firefox"],
  WebKitGTK: miniBrowsers,
};

/** What a browser needs besides itself. */
const COMPANIONS: Partial<Record<BrowserName, readonly string[]>> = { WebKitGTK: ["/usr/bin/WebKitWebDriver", "/usr/bin/Xvfb"] };

/** An available browser, or why it is not available. */
export type FoundBrowser =
  | { readonly name: BrowserName; readonly executable: string; readonly reason?: undefined }
  | { readonly name: BrowserName; readonly reason: string };

/**
 * Looks for a browser.
 * @throws {Error} the browser is not available but required
 */
export function findBrowser(name: BrowserName): FoundBrowser {
  const variable = name.toUpperCase();
  const named = process.env[variable];
  const executable = (named ? [named] : PLACES[name]).find(existsSync);
  const missing = COMPANIONS[name]?.find((path) => !existsSync(path));
  if (executable !== undefined && missing === undefined) return { name, executable };
  const reason =
    executable === undefined
      ? `there is no ${name}; ${variable} can name its executable`
      : `${name} needs ${missing}, which is not there`;
  if (areHostsRequired) throw new Error(reason);
  return { name, reason };
}

export interface Page {
  goto(url: string): Promise<void>;
  reload(): Promise<void>;
  goBack(): Promise<void>;
  /** The value of an expression, which JSON can represent; a promise is awaited. */
  evaluate(expression: string): Promise<unknown>;
  /** Warnings, errors, and failed requests since the page was made; WebKitGTK does not tell what is in its console. */
  readonly log: readonly string[];
  close(): Promise<void>;
}

/** A browser without a window and with an empty profile. */
export interface Browser {
  readonly name: BrowserName;
  readonly version: string;
  /** Pages share nothing; in WebKitGTK they do if they have the same origin. */
  newPage(): Promise<Page>;
  close(): Promise<void>;
}

/** Starts a browser. @throws {Error} it is not available */
export async function launch(name: BrowserName): Promise<Browser> {
  const found = findBrowser(name);
  if (found.reason !== undefined) throw new Error(found.reason);
  if (name === "WebKitGTK") return (await import("./webkit.js")).launchWebKit(found.executable);
  return (await import("./puppeteer.js")).launchByPuppeteer(name, found.executable);
}
