{
  # A shell with the interpreter and the system libraries pinned by Nix, and the Python packages by the hashed locks in envs/.
  # The lock of nixpkgs was taken over from a published one; no build of this flake has been run by its authors (see docs/nix.md).
  description = "reassess: does SFT or RL help here, and can the figure be trusted?";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";

  outputs = { self, nixpkgs }:
    let
      systems = [ "x86_64-linux" "aarch64-linux" ];
      each = make: nixpkgs.lib.genAttrs systems (system: make nixpkgs.legacyPackages.${system});
    in
    {
      devShells = each (pkgs: {
        default = pkgs.mkShell {
          packages = [ pkgs.python311 pkgs.gnumake pkgs.git pkgs.bashInteractive ];
          # Wheels expect these at run time; on a machine with a GPU the driver's own library comes from the host.
          LD_LIBRARY_PATH = "${pkgs.lib.makeLibraryPath [ pkgs.stdenv.cc.cc.lib pkgs.zlib ]}:/run/opengl-driver/lib";
          OMP_NUM_THREADS = "1";
          shellHook = ''
            make setup PYTHON=${pkgs.python311}/bin/python3.11
            source .venv/bin/activate
          '';
        };
      });
    };
}
