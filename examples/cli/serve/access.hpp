#ifndef GRU4REC_CLI_SERVE_ACCESS_HPP
#define GRU4REC_CLI_SERVE_ACCESS_HPP

#include <string>
#include <string_view>

namespace cli::server {

/// Who may ask: whoever sends the token as `Authorization: Bearer TOKEN`, or everybody if there is none.
class Access {
  public:
    /// Everybody.
    Access() = default;

    /// @param file  holds the token in its first line; empty: everybody may ask
    /// @throws gru4rec::IoError; gru4rec::ConfigError naming --token-file
    explicit Access(const std::string& file);

    [[nodiscard]] bool needs_token() const noexcept { return !token_.empty(); }
    [[nodiscard]] const std::string& token() const noexcept { return token_; }  ///< empty: there is none

    /// @param authorization  the value of the header
    /// @complexity takes as long for a wrong token as for the right one
    [[nodiscard]] bool allows(std::string_view authorization) const noexcept;

  private:
    std::string token_;
};

/// Warns if others than its owner may read the file of a secret. @param option  that names the file
void warn_if_others_may_read(const std::string& option, const std::string& file);

/// Whether a host, as in the header Host, is a numeric address or localhost, of any port. Such a host cannot be
/// resolved to another address than it says, as a name can whose owner pleases.
[[nodiscard]] bool is_numeric_or_localhost(std::string_view host) noexcept;

}  // namespace cli::server

#endif
