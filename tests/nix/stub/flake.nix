{
  # A stand-in for nixpkgs, so that the project's flake can be evaluated without one: every package is a derivation that is never built, and
  # the builders take what the real ones take. It shows that outputs evaluate and what they depend on, not that they build.
  description = "stub of nixpkgs for tests";

  outputs = { self }:
    let
      system = "x86_64-linux";
      make = name: more: derivation ({ inherit name system; builder = "/bin/sh"; args = [ "-c" "exit 1" ]; } // more);
      package = name: make name { } // { pname = name; };
      lib = {
        inherit (builtins) mapAttrs;
        genAttrs = names: f: builtins.listToAttrs (map (name: { inherit name; value = f name; }) names);
        makeLibraryPath = packages: builtins.concatStringsSep ":" (map (one: "${one}/lib") packages);
      };
      # What mkDerivation and its like must be given, or real nixpkgs would fail.
      named = attributes: if attributes ? name then attributes else throw "a derivation without a name";
      pkgs = {
        inherit lib system;
        python311 = package "python3.11";
        python311Packages.pip = package "pip";
        gnumake = package "gnumake";
        git = package "git";
        bashInteractive = package "bash";
        coreutils = package "coreutils";
        cacert = package "cacert";
        zlib = package "zlib";
        autoPatchelfHook = package "auto-patchelf-hook";
        stdenv = {
          cc.cc.lib = package "gcc-lib";
          mkDerivation = attributes: make (named attributes).name (removeAttrs attributes [ "name" ]);
        };
        mkShell = attributes: make "shell" attributes;
        runCommand = name: attributes: script: make name (attributes // { inherit script; });
        writeShellScriptBin = name: text: make name { inherit text; };
        dockerTools.buildLayeredImage = { name, tag, contents, config }:
          make "${name}-image" { inherit tag contents; config = builtins.toJSON config; };
      };
    in
    {
      inherit lib;
      legacyPackages.${system} = pkgs;
    };
}
