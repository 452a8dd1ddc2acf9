/** Style sheets are taken by the bundler and have nothing to import. */
declare module "*.css";
